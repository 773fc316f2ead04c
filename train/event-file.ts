// Curves as TensorBoard reads them: a file of records, each a protobuf message `Event` between checksums. Format: TensorFlow's
// `record_writer.h` (length, masked CRC-32C of the length, data, masked CRC-32C of the data), `event.proto`, `summary.proto`.

import { PbfReader, PbfWriter } from 'pbf';

/** Numbers of the fields that are written. */
const Field = {
  event: { wallTime: 1, step: 2, fileVersion: 3, summary: 5 },
  summary: { value: 1 },
  value: { tag: 1, simpleValue: 2 },
} as const;

/** Added to a rotated checksum, so that the checksum of data which holds checksums is not trivial. */
const MASK = 0xa282ead8;

/** CRC-32C (Castagnoli, reflected) by byte. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C of bytes, as an unsigned number: of "123456789" it is 0xe3069283. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = table[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + MASK) >>> 0;
}

function record(data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(12 + data.length + 4);
  bytes.writeBigUInt64LE(BigInt(data.length), 0);
  bytes.writeUInt32LE(masked(bytes.subarray(0, 8)), 8);
  bytes.set(data, 12);
  bytes.writeUInt32LE(masked(data), 12 + data.length);
  return bytes;
}

/**
 * The first record of a file.
 * @param wallTime seconds since 1970
 */
export function eventFileHeader(wallTime: number): Buffer {
  const pbf = new PbfWriter();
  pbf.writeDoubleField(Field.event.wallTime, wallTime);
  pbf.writeStringField(Field.event.fileVersion, 'brain.Event:2');
  return record(pbf.finish());
}

/**
 * The record of one step's scalars.
 * @param wallTime seconds since 1970
 * @param step     environment steps so far
 * @param scalars  by tag, such as `losses/entropy`
 */
export function scalarEvent(wallTime: number, step: number, scalars: Readonly<Record<string, number>>): Buffer {
  const pbf = new PbfWriter();
  pbf.writeDoubleField(Field.event.wallTime, wallTime);
  pbf.writeVarintField(Field.event.step, step);
  const values = (_: null, summary: PbfWriter): void => {
    for (const [tag, value] of Object.entries(scalars)) {
      summary.writeMessage(
        Field.summary.value,
        (_none: null, inner: PbfWriter) => {
          inner.writeStringField(Field.value.tag, tag);
          inner.writeFloatField(Field.value.simpleValue, value);
        },
        null,
      );
    }
  };
  pbf.writeMessage(Field.event.summary, values, null);
  return record(pbf.finish());
}

/**
 * The beginning of a file: its header and the events up to a step. A record that is cut off or damaged ends it.
 * @param lastStep the last step that is kept
 */
export function eventsUpTo(bytes: Buffer, lastStep: number): Buffer {
  let at = 0;
  for (const { end, step } of records(bytes)) {
    if (step > lastStep) break;
    at = end;
  }
  return bytes.subarray(0, at);
}

function* records(bytes: Buffer): Generator<{ readonly end: number; readonly step: number }> {
  for (let at = 0; at + 16 <= bytes.length;) {
    const length = Number(bytes.readBigUInt64LE(at));
    const end = at + 12 + length + 4;
    if (end > bytes.length) return;
    const data = bytes.subarray(at + 12, end - 4);
    if (bytes.readUInt32LE(at + 8) !== masked(bytes.subarray(at, at + 8))) return;
    if (bytes.readUInt32LE(end - 4) !== masked(data)) return;
    yield { end, step: stepOf(data) };
    at = end;
  }
}

function stepOf(data: Uint8Array): number {
  let step = 0;
  new PbfReader(data).readFields((tag: number, _: null, pbf: PbfReader) => {
    if (tag === Field.event.step) step = pbf.readVarint();
  }, null);
  return step;
}
