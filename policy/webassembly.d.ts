// The little of WebAssembly's interface that we use; TypeScript only declares it together with the whole DOM.

declare namespace WebAssembly {
  /** Whether this engine can compile the module. */
  function validate(bytes: Uint8Array): boolean;
  interface Module {
    readonly [Symbol.toStringTag]: 'WebAssembly.Module';
  }
  const Module: new (bytes: Uint8Array) => Module;
  const Instance: new (module: Module, imports: object) => { readonly exports: object };
  interface Memory {
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  /** A memory that threads share; it can be sent to them. */
  interface SharedMemory {
    readonly buffer: SharedArrayBuffer;
  }
  const Memory: new (size: {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: true;
  }) => SharedMemory;
}
