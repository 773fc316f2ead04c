// The kill switch as the database has it: of one company, or of all of them.

import type { Connection } from './connection.js';
import { configure, stopAll } from './controls.js';
import { databaseError } from './database.js';

/** A company's id, or all of them. */
export type SwitchScope = number | 'all';

/** Seconds within which letting go on begins at the server, or not at all. */
const SOON_SECONDS = 2;

/**
 * Turns a switch. Turning it to where it is changes nothing, and is not on record.
 * @throws AuditError `ERR_NOT_FOUND` for a company that is not known
 */
export async function turnSwitch(
  connection: Connection,
  scope: SwitchScope,
  stopped: boolean,
  by: string,
): Promise<void> {
  if (stopped) {
    if (scope === 'all') await stopAll(connection, true, by);
    else await configure(connection, scope, { stopped: true }, by);
    return;
  }
  await letGoOn(connection, scope, by);
}

/**
 * A stop may come as late as it likes; letting go on may not: a server that was frozen reads on where it had stopped, and
 * would undo a stop that was asked for in the meantime.
 */
async function letGoOn(connection: Connection, scope: SwitchScope, by: string): Promise<void> {
  try {
    const [{ until }] = await connection<[{ until: Date }]>`
      select clock_timestamp() + make_interval(secs => ${SOON_SECONDS}) as until`;
    const rows =
      scope === 'all'
        ? await connection`select autonomy_stop_all(false, ${by}) where clock_timestamp() < ${until}`
        : await connection`
            select autonomy_configure(${scope}, ${connection.json({ stopped: false })}, ${by})
            where clock_timestamp() < ${until}`;
    if (rows.length === 0) throw new Error('the database was asked too late to let actions go on');
  } catch (error) {
    throw databaseError(error);
  }
}

/** Whether a company's actions are stopped, by its own switch or by that of all. */
export async function isStopped(connection: Connection, companyId: number): Promise<boolean> {
  try {
    const [row] = await connection<[{ stopped: boolean }] | []>`
      select own.stopped or everybody.stopped as stopped
      from autonomy own cross join autonomy_all as everybody where own.company_id = ${companyId}`;
    return row?.stopped ?? true;
  } catch (error) {
    throw databaseError(error);
  }
}
