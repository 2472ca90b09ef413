import { crc32, deflateSync } from 'node:zlib'

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

/** A PNG of 8-bit RGB pixels, three bytes each, row by row from the top (W3C PNG §11). */
export function encodePng(pixels: Uint8Array, width: number, height: number): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const data = deflateSync(filtered(pixels, width, height), { level: 6 })
  return Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))])
}

/** Each row as differences to the pixel above, which compresses gradients best (filter type 2, Up). */
function filtered(pixels: Uint8Array, width: number, height: number): Buffer {
  const rowBytes = width * 3
  const out = Buffer.alloc((rowBytes + 1) * height)
  for (let row = 0; row < height; row++) {
    const start = row * (rowBytes + 1)
    out[start] = 2
    for (let at = 0; at < rowBytes; at++) {
      const above = row === 0 ? 0 : (pixels[(row - 1) * rowBytes + at] ?? 0)
      out[start + 1 + at] = (pixels[row * rowBytes + at] ?? 0) - above
    }
  }
  return out
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const out = Buffer.alloc(body.length + 8)
  out.writeUInt32BE(data.length, 0)
  body.copy(out, 4)
  out.writeUInt32BE(crc32(body), body.length + 4)
  return out
}
