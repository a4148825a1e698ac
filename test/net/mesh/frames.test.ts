import test from 'ava'
import fc from 'fast-check'
import { FrameReader, HEADER_BYTES, KIND, VALUE_MAX, writeHeader } from '../../../net/mesh/frames.ts'

type Frame = { stream: number; kind: number; value: number; bytes: Buffer }

function encode({ stream, kind, value, bytes }: Frame): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  writeHeader(header, 0, stream, kind, kind === KIND.data ? bytes.length : value)
  return Buffer.concat([header, kind === KIND.data ? bytes : Buffer.alloc(0)])
}

/** What a reader finds in the pieces, with the bytes of each `data` frame put together again. */
function read(pieces: readonly Buffer[]) {
  const reader = new FrameReader()
  const found: string[] = []
  const faults: string[] = []
  const handler = {
    isClosed: false,
    frame: (stream: number, kind: number, value: number) => found.push(`${stream} ${kind} ${value}`),
    piece: (stream: number, bytes: Buffer) => {
      for (const byte of bytes) found.push(`${stream} byte ${byte}`)
    },
  }
  for (const piece of pieces) {
    const fault = reader.read(piece, handler)
    if (fault !== undefined) faults.push(fault)
  }
  return { found, faults }
}

const frame: fc.Arbitrary<Frame> = fc.record({
  stream: fc.integer({ min: 0, max: 0xffff_ffff }),
  kind: fc.constantFrom(...Object.values(KIND)),
  value: fc.integer({ min: 0, max: VALUE_MAX }),
  bytes: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
})

test('frames are found wherever the bytes were cut apart', (t) => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 20 }), fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (frames, sizes) => {
      const whole = Buffer.concat(frames.map(encode))
      const pieces: Buffer[] = []
      for (let at = 0, turn = 0; at < whole.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1
        pieces.push(whole.subarray(at, at + size))
        at += size
      }
      const expected = frames.flatMap(({ stream, kind, value, bytes }) =>
        kind === KIND.data ? [...bytes].map((byte) => `${stream} byte ${byte}`) : [`${stream} ${kind} ${value}`],
      )
      t.deepEqual(read(pieces), { found: expected, faults: [] })
    }),
  )
})

test('a kind that does not exist is a fault that names it', (t) => {
  t.deepEqual(read([encode({ stream: 7, kind: 99, value: 0, bytes: Buffer.alloc(0) })]), {
    found: [],
    faults: ['a frame of an unknown kind 99'],
  })
  t.deepEqual(read([Buffer.alloc(HEADER_BYTES)]).faults, ['a frame of an unknown kind 0'])
})

test('nothing is handed over after the handler has closed', (t) => {
  const seen: number[] = []
  const handler = {
    isClosed: false,
    frame(stream: number) {
      seen.push(stream)
      this.isClosed = true
    },
    piece: () => t.fail(),
  }
  const bytes = [1, 2].map((stream) => encode({ stream, kind: KIND.open, value: 0, bytes: Buffer.alloc(0) }))
  t.is(new FrameReader().read(Buffer.concat(bytes), handler), undefined)
  t.deepEqual(seen, [1])
})
