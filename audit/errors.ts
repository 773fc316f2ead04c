// What can go wrong between a decision and its record.

/** What went wrong, and whether something was done. Codes are stable. */
export type AuditErrorCode =
  /** The database cannot be reached, or broke off. Nothing was done. */
  | 'ERR_DATABASE'
  /** The database did not answer in time. Nothing was done. */
  | 'ERR_DEADLINE'
  /** The folder of the embedded database cannot be used. */
  | 'ERR_DATA_FOLDER'
  | 'ERR_MIGRATION'
  /** The tables are not those that this version works with. */
  | 'ERR_NOT_MIGRATED'
  /** A field's value is not allowed. */
  | 'ERR_FIELD'
  | 'ERR_NOT_FOUND'
  /** An action was refused by mode, rule, switch, breaker or limit; `refusal` says which. */
  | 'ERR_REFUSED'
  /** The idempotency key belongs to another action, or to one whose end is not known. */
  | 'ERR_IDEMPOTENCY'
  /** The action itself failed; the failure is on record, `cause` is what it threw. */
  | 'ERR_ACT_FAILED'
  /** The action did not end in time: whether it happened is not known. */
  | 'ERR_ACT_UNKNOWN'
  /** A key or a file of signed heads cannot be used. */
  | 'ERR_HEADS';

/** Why an action was not admitted, as it stands on record. */
export interface Refusal {
  readonly reason:
    | 'kill_switch_all'
    | 'kill_switch'
    | 'mode'
    | 'rule'
    | 'approval'
    /** Somebody else has assigned the booking since. */
    | 'assigned'
    | 'delay'
    | 'breaker'
    | 'limit'
    /** The database's answer came too late to act on. */
    | 'deadline';
  readonly message: string;
  /** For `limit`: the bucket (`all/hour`, `reassign/day`, `driver/17/hour`), what it holds, and when it holds 1 again. */
  readonly bucket?: string;
  readonly left?: number;
  /** ISO 8601; absent if waiting does not help. */
  readonly retryAt?: string;
}

/** Every error that this room throws; the driver's own is its `cause`. */
export class AuditError extends Error {
  /** For printing. */
  override readonly name = 'AuditError';
  /** Stable, for programs. */
  readonly code: AuditErrorCode;
  /** Id of the row on record, if there is one. */
  readonly actionId: number | undefined;
  /** Why an action was refused, if that is what happened. */
  readonly refusal: Refusal | undefined;

  constructor(
    code: AuditErrorCode,
    message: string,
    options: ErrorOptions & { readonly actionId?: number; readonly refusal?: Refusal } = {},
  ) {
    super(message, options);
    this.code = code;
    this.actionId = options.actionId;
    this.refusal = options.refusal;
  }
}
