/** As much as one read brings. */
const SLAB_BYTES = 65_536
/** Smaller copies come out of node's own pool, which costs less than asking here. */
const WORTHWHILE_BYTES = 4_096
const MAX_FREE = 16

const free: Buffer[] = []

/**
 * Copies `bytes` into memory that was used before, where there is some: fresh memory for each read of a large body costs more, in page faults and
 * collecting, than the copying. Give it back with {@link giveBack}; what is not given back is collected as usual.
 */
export function copyOf(bytes: Buffer): Buffer {
  if (bytes.length < WORTHWHILE_BYTES || bytes.length > SLAB_BYTES) return Buffer.from(bytes)
  const slab = free.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES)
  bytes.copy(slab)
  return slab.subarray(0, bytes.length)
}

/** Only for what {@link copyOf} answered and nobody looks at any more. */
export function giveBack(copy: Buffer): void {
  if (copy.length < WORTHWHILE_BYTES || copy.buffer.byteLength !== SLAB_BYTES || free.length >= MAX_FREE) return
  free.push(Buffer.from(copy.buffer, 0, SLAB_BYTES))
}

/** Smaller chunks may share their memory with others, and cost the collector little. */
const WORTH_RELEASING_BYTES = 4_096

/**
 * Gives the memory of a chunk back before the garbage collector would: a large body is read into new memory all the time, and collecting that
 * costs several times as much as carrying it. Only for chunks that nobody looks at any more: `chunk` is empty afterwards. Memory that `chunk`
 * doesn't have for itself alone stays.
 */
export function releaseMemory(chunk: Buffer): void {
  const { buffer, length } = chunk
  if (length < WORTH_RELEASING_BYTES || length !== buffer.byteLength || !(buffer instanceof ArrayBuffer)) return
  buffer.transfer(0)
}
