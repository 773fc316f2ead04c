// The type of TensorFlow.js as a whole, whichever of its builds runs.

/**
 * The whole namespace of TensorFlow.js, with gradients, chained methods and layers. Every build brings the same one, and a
 * process has one active build: the last loaded.
 */
export type Tensorflow = typeof import('@tensorflow/tfjs');
