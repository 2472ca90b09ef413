/** Smaller chunks may share their memory with others, and cost the collector little. */
const WORTHWHILE_BYTES = 4_096

/**
 * Gives the memory of a chunk back before the garbage collector would: a large body is read into new memory all the time, and collecting that
 * costs several times as much as carrying it. Only for chunks that nobody looks at any more: `chunk` is empty afterwards. Memory that `chunk`
 * doesn't have for itself alone stays.
 */
export function releaseMemory(chunk: Buffer): void {
  const { buffer, length } = chunk
  if (length < WORTHWHILE_BYTES || length !== buffer.byteLength || !(buffer instanceof ArrayBuffer)) return
  buffer.transfer(0)
}
