// Requests to the service: one token, JSON in both directions, and errors with the service's message.

/** What a token says about its holder. */
export interface Account {
  readonly subject: string;
  readonly role: 'admin' | 'dispatcher' | 'viewer';
  readonly company: number | null;
  readonly expires: Date;
}

const KEY = 'fleetstep-token';

let token = sessionStorage.getItem(KEY) ?? '';
/** The company that an admin of all companies has chosen. */
let company: number | null = null;

/** An error answer, or no answer at all: then `status` is 0. */
export class ServiceError extends Error {
  /** HTTP status; 0 if there was no answer. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Reads a token without verifying it, which only the service can; null if the text is not a token. */
export function accountOf(text: string): Account | null {
  try {
    const bytes = Uint8Array.from(atob(text.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')), (c) =>
      c.charCodeAt(0),
    );
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as {
      sub: string;
      role: Account['role'];
      company?: number;
      exp: number;
    };
    return {
      subject: claims.sub,
      role: claims.role,
      company: claims.company ?? null,
      expires: new Date(claims.exp * 1000),
    };
  } catch {
    return null;
  }
}

/** The account that is logged in. */
export function account(): Account | null {
  return accountOf(token);
}

/** Keeps a token until the tab is closed. */
export function logIn(text: string): void {
  token = text.trim();
  company = null;
  sessionStorage.setItem(KEY, token);
}

/** Forgets the token. */
export function logOut(): void {
  token = '';
  sessionStorage.removeItem(KEY);
}

/** The company that an admin of all companies has chosen; null before. */
export function chosenCompany(): number | null {
  return company;
}

/** Sets the company of all further requests of an admin of all companies. */
export function chooseCompany(id: number): void {
  company = id;
}

/** Sends a request; T is the type of its answer in `other-schemas.ts`. @throws ServiceError */
export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const url = new URL(path, location.origin);
  if (company !== null && account()?.company === null && !url.searchParams.has('company_id')) {
    url.searchParams.set('company_id', String(company));
  }
  let response;
  try {
    response = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ServiceError(0, 'The service cannot be reached.');
  }
  const answer = (await response.json()) as { error?: { message: string } };
  if (!response.ok)
    throw new ServiceError(response.status, answer.error?.message ?? `the service answered ${response.status}`);
  return answer as T;
}
