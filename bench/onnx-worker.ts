// A thread of OnnxPool: gradients of its share of the rows.

import { parentPort, workerData } from 'node:worker_threads';
import { OnnxNet } from './onnx.js';
import type { OnnxShare } from './onnx-pool.js';

const { nets, weights, gradients } = workerData as OnnxShare;
const runtime = await OnnxNet.load();
const own: OnnxNet[] = [];
for (const { widths, rows } of nets) own.push(await OnnxNet.create(runtime, widths, rows));
for (const [k, net] of own.entries()) net.read(weights[k]);

parentPort?.on('message', () => void share());
parentPort?.postMessage('ready');

async function share(): Promise<void> {
  for (const [k, net] of own.entries()) {
    net.write(weights[k]);
    await net.differentiate(gradients[k]);
  }
  parentPort?.postMessage('done');
}
