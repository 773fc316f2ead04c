// Kernels that TensorFlow.js lacks on its wasm backend and that gradients of gathering, embeddings and convolutions need. They
// run on the cpu backend, with the data copied there and back: slow, but correct.

import type { KernelBackend, TensorInfo } from '@tensorflow/tfjs';
import type { Tensorflow } from './tensorflow.js';

type Storage = Pick<KernelBackend, 'write' | 'readSync' | 'disposeData'>;

/** Kernels on real numbers that the cpu backend has and the wasm backend lacks. */
const gaps = [
  'UnsortedSegmentSum',
  'Einsum',
  'Conv2DBackpropFilter',
  'DepthwiseConv2dNativeBackpropFilter',
  'DepthwiseConv2dNativeBackpropInput',
] as const;

/** Registers the missing kernels; those that a later TensorFlow.js has are kept. */
export function fillWasmGaps(tf: Tensorflow): void {
  for (const kernelName of gaps) {
    if (tf.getKernel(kernelName, 'wasm') != null) continue;
    const onCpu = tf.getKernel(kernelName, 'cpu');
    tf.registerKernel({
      kernelName,
      backendName: 'wasm',
      kernelFunc: ({ inputs, attrs, backend }) => {
        const wasm = backend as Storage;
        const cpu: Storage = tf.findBackend('cpu');
        // Einsum's inputs are an array, the others' an object.
        const copies: Record<string, TensorInfo> = Array.isArray(inputs) ? ([] as never) : {};
        for (const [name, given] of Object.entries(inputs)) copies[name] = copy(given as TensorInfo, wasm, cpu);
        const result = onCpu.kernelFunc({ inputs: copies, attrs: attrs ?? {}, backend: cpu }) as TensorInfo;
        const back = copy(result, cpu, wasm);
        for (const { dataId } of [...Object.values(copies), result]) cpu.disposeData(dataId);
        return back;
      },
    });
  }
}

function copy({ dataId, shape, dtype }: TensorInfo, from: Storage, to: Storage): TensorInfo {
  return { dataId: to.write(from.readSync(dataId), shape, dtype), shape, dtype };
}
