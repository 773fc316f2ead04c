// A run's networks in formats that other programs read: layers models of TensorFlow.js, and ONNX. Actor and critic are a file or a
// folder each; fleetstep.json beside them says what goes in and what comes out.

import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PbfWriter } from 'pbf';
import { observationShape, pairColumns } from '../engine/index.js';
import { makeFolder, writeFileAtomic } from '../files/index.js';
import { networkLayout } from '../policy/index.js';
import type { Layer } from '../policy/index.js';
import { loadBackend } from './backend.js';
import { weightsSha256 } from './checkpoint.js';
import type { Checkpoint } from './checkpoint.js';
import { TrainError } from './errors.js';
import { check } from './fields.js';
import { version } from './identity.js';
import { RunFolder, onDisk } from './run-folder.js';

/** What networks can be exported to. */
export type ExportFormat = 'tfjs' | 'onnx';
/** All formats. */
export const exportFormats: readonly ExportFormat[] = ['tfjs', 'onnx'];

/** The two networks of a run. */
const parts = ['actor', 'critic'] as const;
type Part = (typeof parts)[number];

/**
 * Writes actor and critic into a folder, which must be empty or not exist: `actor/model.json` and `actor/weights.bin`, or
 * `actor.onnx`; the same of the critic; and `fleetstep.json`. Input `[rows, columns]`, output `[rows, outputs]`, both float32.
 * @returns the files, in that order
 * @throws TrainError `ERR_TRAIN_OPTION` for another format, `ERR_RUN_FOLDER` for a folder that is not free, `ERR_DISK`
 */
export async function exportNetworks(checkpoint: Checkpoint, format: ExportFormat, folder: string): Promise<string[]> {
  check.oneOf('format', format, exportFormats);
  RunFolder.checkFree(folder, 'give another --out');
  const { shape, state, scenario, config, algorithm, steps } = checkpoint;
  const layout = networkLayout(shape);
  const files: string[] = [];
  const write = (name: string, content: string | Uint8Array): void => {
    const file = join(folder, name);
    try {
      onDisk(file, () => writeFileAtomic(file, content));
    } catch (error) {
      // One network without the other is of no use, and would be in the way of the next try.
      for (const made of readdirSync(folder)) rmSync(join(folder, made), { recursive: true });
      throw error;
    }
    files.push(file);
  };
  makeFolders(folder, format === 'tfjs' ? parts : []);
  for (const part of parts) {
    if (format === 'onnx') {
      write(`${part}.onnx`, onnxModel(part, layout[part], state.weights));
    } else {
      const { model, weights } = await tfjsModel(part, layout[part], state.weights);
      write(join(part, 'model.json'), `${JSON.stringify(model)}\n`);
      write(join(part, 'weights.bin'), weights);
    }
  }
  const { driverColumns, bookingColumns, contextColumns } = observationShape(scenario, config.observation);
  const about = {
    fleetstep: version,
    algorithm,
    steps,
    scenario: scenario.name,
    drivers: scenario.drivers,
    slots: scenario.slots,
    network: shape.kind,
    observation: config.observation,
    weightsSha256: weightsSha256(state.weights),
    actor:
      shape.kind === 'pairs'
        ? { input: 'a row for each legal action', columns: pairColumns, output: 'its score' }
        : shape.kind === 'matching'
          ? {
              input: 'a row for each assignment',
              columns: shape.inputs,
              output: 'its worth, less what it earns at once',
            }
          : { input: 'an observation', columns: shape.inputs, output: 'a score for each action, legal or not' },
    critic: {
      input: 'an observation',
      columns: shape.inputs,
      perDriver: driverColumns,
      perSlot: bookingColumns,
      context: contextColumns,
      output: 'its value',
    },
  };
  write('fleetstep.json', `${JSON.stringify(about, null, 2)}\n`);
  return files;
}

function makeFolders(folder: string, inner: readonly string[]): void {
  try {
    makeFolder(folder);
    for (const name of inner) makeFolder(join(folder, name));
  } catch (cause) {
    throw new TrainError('ERR_RUN_FOLDER', `cannot create ${folder}: ${(cause as Error).message}`, { cause });
  }
}

/** A sequential model of dense layers, as TensorFlow.js itself writes it. */
async function tfjsModel(
  part: Part,
  layers: readonly Layer[],
  weights: Float32Array,
): Promise<{ readonly model: object; readonly weights: Uint8Array }> {
  const { tf } = await loadBackend('cpu');
  const model = tf.sequential({ name: part });
  for (const [k, layer] of layers.entries()) {
    model.add(
      tf.layers.dense({
        name: `${part}_${k + 1}`,
        units: layer.outputs,
        activation: k < layers.length - 1 ? 'relu' : 'linear',
        ...(k === 0 ? { inputShape: [layer.inputs] } : {}),
      }),
    );
  }
  const tensors = layers.flatMap((layer) => [
    tf.tensor2d(weights.slice(layer.weights, layer.biases), [layer.inputs, layer.outputs]),
    tf.tensor1d(weights.slice(layer.biases, layer.biases + layer.outputs)),
  ]);
  model.setWeights(tensors);
  const saved: { model?: object; weights?: Uint8Array } = {};
  await model.save(
    tf.io.withSaveHandler((artifacts) => {
      const { modelTopology, weightSpecs = [], weightData, format, generatedBy, convertedBy = null } = artifacts;
      saved.model = {
        modelTopology,
        format,
        generatedBy,
        convertedBy,
        weightsManifest: [{ paths: ['weights.bin'], weights: weightSpecs }],
      };
      saved.weights = new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData));
      return Promise.resolve({ modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) });
    }),
  );
  tf.dispose(tensors);
  model.dispose();
  return { model: saved.model!, weights: saved.weights! };
}

// Field numbers of onnx.proto3 (https://github.com/onnx/onnx), as far as they are written here.
const ONNX = {
  model: { irVersion: 1, producerName: 2, producerVersion: 3, graph: 7, opsetImport: 8 },
  opset: { domain: 1, version: 2 },
  graph: { node: 1, name: 2, initializer: 5, input: 11, output: 12 },
  node: { input: 1, output: 2, name: 3, opType: 4 },
  tensor: { dims: 1, dataType: 2, name: 8, rawData: 9 },
  value: { name: 1, type: 2 },
  type: { tensor: 1 },
  tensorType: { elemType: 1, shape: 2 },
  shape: { dim: 1 },
  dimension: { value: 1, param: 2 },
} as const;
const FLOAT = 1;
/** Gemm of opset 13 broadcasts its bias, and every runtime of the last years reads it. */
const OPSET = 13;
const IR_VERSION = 8;

/** Gemm and Relu, layer by layer; input `input`, output `output`. */
function onnxModel(part: Part, layers: readonly Layer[], weights: Float32Array): Uint8Array {
  const node = (type: string, inputs: readonly string[], output: string, pbf: PbfWriter): void => {
    for (const name of inputs) pbf.writeStringField(ONNX.node.input, name);
    pbf.writeStringField(ONNX.node.output, output);
    pbf.writeStringField(ONNX.node.name, `${type}_${output}`);
    pbf.writeStringField(ONNX.node.opType, type);
  };
  const tensor = (name: string, dims: readonly number[], from: number, pbf: PbfWriter): void => {
    for (const side of dims) pbf.writeVarintField(ONNX.tensor.dims, side);
    pbf.writeVarintField(ONNX.tensor.dataType, FLOAT);
    pbf.writeStringField(ONNX.tensor.name, name);
    const size = dims.reduce((product, side) => product * side, 1);
    const bytes = new DataView(new ArrayBuffer(4 * size));
    for (let k = 0; k < size; k++) bytes.setFloat32(4 * k, weights[from + k], true);
    pbf.writeBytesField(ONNX.tensor.rawData, new Uint8Array(bytes.buffer));
  };
  const value = (name: string, columns: number, pbf: PbfWriter): void => {
    pbf.writeStringField(ONNX.value.name, name);
    message(pbf, ONNX.value.type, (type) =>
      message(type, ONNX.type.tensor, (of) => {
        of.writeVarintField(ONNX.tensorType.elemType, FLOAT);
        message(of, ONNX.tensorType.shape, (shape) => {
          message(shape, ONNX.shape.dim, (dim) => dim.writeStringField(ONNX.dimension.param, 'rows'));
          message(shape, ONNX.shape.dim, (dim) => dim.writeVarintField(ONNX.dimension.value, columns));
        });
      }),
    );
  };
  const pbf = new PbfWriter();
  pbf.writeVarintField(ONNX.model.irVersion, IR_VERSION);
  pbf.writeStringField(ONNX.model.producerName, 'fleetstep');
  pbf.writeStringField(ONNX.model.producerVersion, version);
  message(pbf, ONNX.model.graph, (graph) => {
    const last = layers.length - 1;
    layers.forEach((_, k) => {
      const input = k === 0 ? 'input' : `hidden${k}`;
      const sums = k === last ? 'output' : `sums${k + 1}`;
      message(graph, ONNX.graph.node, (one) => node('Gemm', [input, `weights${k + 1}`, `biases${k + 1}`], sums, one));
      if (k < last) message(graph, ONNX.graph.node, (one) => node('Relu', [sums], `hidden${k + 1}`, one));
    });
    graph.writeStringField(ONNX.graph.name, part);
    layers.forEach(({ inputs, outputs, weights: w, biases }, k) => {
      message(graph, ONNX.graph.initializer, (one) => tensor(`weights${k + 1}`, [inputs, outputs], w, one));
      message(graph, ONNX.graph.initializer, (one) => tensor(`biases${k + 1}`, [outputs], biases, one));
    });
    message(graph, ONNX.graph.input, (one) => value('input', layers[0].inputs, one));
    message(graph, ONNX.graph.output, (one) => value('output', layers[last].outputs, one));
  });
  message(pbf, ONNX.model.opsetImport, (opset) => {
    opset.writeStringField(ONNX.opset.domain, '');
    opset.writeVarintField(ONNX.opset.version, OPSET);
  });
  return pbf.finish();
}

function message(pbf: PbfWriter, field: number, write: (inner: PbfWriter) => void): void {
  pbf.writeMessage(field, (_: null, inner: PbfWriter) => write(inner), null);
}
