// The route of companies.

import { listCompanies } from '../audit/index.js';
import { companiesProps } from './other-schemas.js';
import { company, everyone } from './route-rules.js';
import { answering } from './routes.js';
import type { Route } from './routes.js';
import type { Service } from './service.js';

/** The route that lists companies, under /v1. */
export function companyRoutes({ pool }: Service): Route[] {
  return [
    answering(companiesProps)({
      method: 'GET',
      path: '/v1/companies',
      tag: 'companies',
      roles: everyone,
      summary: 'Companies that the caller may see: up to 1,000, sorted by id',
      query: company,
      handle: async (c) => ({ companies: await pool.ask((sql) => listCompanies(sql, c.companyId)) }),
    }),
  ];
}
