// The engine's one error class. Codes are stable; messages carry the field, the actual value and the remedy.

export type EngineErrorCode = 'ERR_SCENARIO' | 'ERR_ACTION' | 'ERR_BUFFER' | 'ERR_OPTION' | 'ERR_TRACE';

export class EngineError extends Error {
  readonly code: EngineErrorCode;

  constructor(code: EngineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EngineError';
    this.code = code;
  }
}
