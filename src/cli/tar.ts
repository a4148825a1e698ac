const BLOCK_BYTES = 512
const FILE_MODE = 0o600

/** Files as a tar archive in the ustar format, in this order; `path` has at most 100 bytes. */
export function tarOf(files: readonly { path: string; bytes: Buffer }[], modifiedMs: number): Buffer {
  const parts = files.flatMap(({ path, bytes }) => [headerOf(path, bytes.byteLength, modifiedMs), bytes, paddingOf(bytes.byteLength)])
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK_BYTES)])
}

function headerOf(path: string, bytes: number, modifiedMs: number): Buffer {
  const header = Buffer.alloc(BLOCK_BYTES)
  const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, '0')}\0`
  header.write(path, 0, 100)
  header.write(octal(FILE_MODE, 8), 100)
  header.write(octal(0, 8), 108)
  header.write(octal(0, 8), 116)
  header.write(octal(bytes, 12), 124)
  header.write(octal(Math.floor(modifiedMs / 1_000), 12), 136)
  // The checksum counts its own field as blanks.
  header.write(' '.repeat(8), 148)
  header.write('0', 156)
  header.write('ustar\x0000', 257, 'latin1')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

function paddingOf(bytes: number): Buffer {
  return Buffer.alloc((BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES)
}
