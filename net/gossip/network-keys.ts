import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { ConnectionProtector, MessageStream } from '@libp2p/interface'
import { preSharedKey } from '@libp2p/pnet'
import { readGossipKey } from '../../src/gossip-key.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { readBytes } from './read-bytes.ts'

/** As many keys as one agent may have at once. */
export const NETWORK_KEYS_MAX = 8

export type NetworkKeys = {
  /** Base64, the one in use first. None: the network is open to everybody. */
  all(): readonly string[]
  /** Takes other keys for all later connections; those that are open stay. Refused with `invalid` if one is no key. */
  replace(keys: readonly string[]): Result<null>
}

/** Why a connection was refused before it had a peer. `who` is its address. */
export type Stranger = (who: string, why: string) => void

/**
 * The keys of a private network, several at once. Whoever dials says which keys it has, each as a keyed hash over a number used
 * once, the one in use first; the other side answers with the first that it has as well. Everything after that, beginning with the
 * handshake of Noise, passes through libp2p's private network with that key. So an agent that uses a new key already still reaches,
 * and is reached by, one that only has the old one, as long as both have one in common.
 *
 *     dialer:    TRIBUNE1 | number of keys, 1 byte | nonce, 32 bytes | 16 bytes for each key
 *     acceptor:  TRIBUNE1 | 1 byte: number of the key, or one of `VERDICT`
 */
export function createNetwork(stranger: Stranger): NetworkKeys & { protector(): ConnectionProtector } {
  let keys: readonly NetworkKey[] = []
  return {
    all: () => keys.map(({ text }) => text),
    replace(texts) {
      const read = readKeys(texts)
      if (isRefused(read)) return read
      keys = read
      return null
    },
    protector: () => ({
      async protect(connection, options = {}) {
        const signal = AbortSignal.any([AbortSignal.timeout(HELLO_MS_MAX), ...(options.signal ? [options.signal] : [])])
        try {
          const key =
            connection.direction === 'outbound' ? await introduce(connection, keys, signal) : await judge(connection, keys, signal)
          return key === undefined ? connection : await key.protector.protect(connection, options)
        } catch (error) {
          const why = error instanceof Error ? error.message : String(error)
          if (connection.direction === 'inbound') stranger(addressOf(connection), why)
          throw error
        }
      },
    }),
  }
}

type NetworkKey = { text: string; bytes: Uint8Array; protector: ConnectionProtector }

const HELLO_MS_MAX = 5_000
const NAME = Buffer.from('TRIBUNE1')
const NONCE_BYTES = 32
const TAG_BYTES = 16
const PSK_BYTES = 32
const VERDICT = { open: 0xf0, noCommonKey: 0xf1, needsKey: 0xf2, hasNoKey: 0xf3 } as const
const REFUSED = new Map<number, string>([
  [VERDICT.noCommonKey, 'it has none of the keys of this agent: "encrypt" differs'],
  [VERDICT.needsKey, 'its gossip is encrypted, and this agent has no key: "encrypt" is missing here'],
  [VERDICT.hasNoKey, 'its gossip is not encrypted, and that of this agent is: "encrypt" is missing there'],
])

function readKeys(texts: readonly string[]): Result<NetworkKey[]> {
  if (texts.length > NETWORK_KEYS_MAX) return refuse('invalid', `there can be ${NETWORK_KEYS_MAX} keys, not ${texts.length}`)
  const keys: NetworkKey[] = []
  for (const text of new Set(texts)) {
    const bytes = readGossipKey(text)
    if (typeof bytes === 'string') return refuse('invalid', `no key: ${bytes}`)
    const psk = new TextEncoder().encode(`/key/swarm/psk/1.0.0/\n/base16/\n${longKey(bytes).toString('hex')}`)
    keys.push({ text, bytes, protector: preSharedKey({ psk, timeout: HELLO_MS_MAX })() })
  }
  return keys
}

/** libp2p takes 32 bytes only. */
function longKey(bytes: Uint8Array): Buffer {
  return bytes.length === PSK_BYTES ? Buffer.from(bytes) : createHash('sha256').update(bytes).digest()
}

async function introduce(connection: MessageStream, keys: readonly NetworkKey[], signal: AbortSignal): Promise<NetworkKey | undefined> {
  const nonce = randomBytes(NONCE_BYTES)
  connection.send(Buffer.concat([NAME, Buffer.of(keys.length), nonce, ...keys.map((key) => tagOf(key, nonce))]))
  const answer = await readBytes(connection, NAME.length + 1, signal)
  const verdict = answer[NAME.length] ?? VERDICT.noCommonKey
  if (!answer.subarray(0, NAME.length).equals(NAME)) throw new Error('it speaks no gossip')
  if (verdict === VERDICT.open && keys.length === 0) return undefined
  const key = keys[verdict]
  if (key === undefined) throw new Error(REFUSED.get(verdict) ?? 'it speaks no gossip')
  return key
}

async function judge(connection: MessageStream, keys: readonly NetworkKey[], signal: AbortSignal): Promise<NetworkKey | undefined> {
  const head = await readBytes(connection, NAME.length + 1 + NONCE_BYTES, signal)
  const count = head[NAME.length] ?? 0
  if (!head.subarray(0, NAME.length).equals(NAME) || count > NETWORK_KEYS_MAX) throw new Error('it speaks no gossip')
  const nonce = head.subarray(NAME.length + 1)
  const tags = count === 0 ? Buffer.alloc(0) : await readBytes(connection, count * TAG_BYTES, signal)
  const say = (verdict: number) => connection.send(Buffer.concat([NAME, Buffer.of(verdict)]))
  const no = async (verdict: number, why: string) => {
    say(verdict)
    await connection.close({ signal })
    return new Error(why)
  }
  if (count === 0 && keys.length > 0) throw await no(VERDICT.needsKey, 'it has no key')
  if (count === 0) {
    say(VERDICT.open)
    return undefined
  }
  if (keys.length === 0) throw await no(VERDICT.hasNoKey, 'it has a key, and this agent has none')
  for (let at = 0; at < count; at++) {
    const tag = tags.subarray(at * TAG_BYTES, (at + 1) * TAG_BYTES)
    const key = keys.find((one) => timingSafeEqual(tagOf(one, nonce), tag))
    if (key === undefined) continue
    say(at)
    return key
  }
  throw await no(VERDICT.noCommonKey, 'it has none of the keys of this agent')
}

function tagOf({ bytes }: NetworkKey, nonce: Buffer): Buffer {
  return createHmac('sha256', bytes).update('tribune network key').update(nonce).digest().subarray(0, TAG_BYTES)
}

/** The IP address only: whoever comes again has another port. */
function addressOf(connection: MessageStream): string {
  const text = 'remoteAddr' in connection ? String(connection.remoteAddr) : ''
  return text.split('/')[2] ?? 'unknown'
}
