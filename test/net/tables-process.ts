import { rmSync, writeFileSync } from 'node:fs'
import { openStore } from '../../net/store.ts'
import { openTables, openTemporaryTables, type TablesOptions } from '../../net/tables.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { table } from '../../src/kernel/tables.ts'

/** A process of its own for tests of what happens between processes. `node tables-process.ts <what> <directory>`. */
const [what = '', directory = ''] = process.argv.slice(2)
const counters = table<number>('counters', 1)
const blobs = table<Uint8Array>('blobs', 2)

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

const doings: Record<string, () => void> = {
  /** Opens and stays until it is killed. */
  hold() {
    openTables(directory, { durable: true })
    say('open')
    process.stdin.resume()
  },
  /** Commits 1, 2, 3, … and says each number when it is durable. */
  count: () => count(true),
  /** The same, without waiting for the disk. */
  'count-later': () => count('later'),
  /** The same with the store, several at a time. */
  save() {
    const store = openStore(directory)
    let n = 0
    const next = () => {
      const mine = ++n
      store.perform(
        { do: 'save', kind: 'counter', key: `${mine}`, record: { n: mine } },
        () => {
          say(`${mine}`)
          next()
        },
        () => undefined,
      )
    }
    for (let lane = 0; lane < 4; lane++) next()
  },
  /** Opens temporary tables and stays until it is told to end (a line on stdin), or killed. */
  temporary() {
    const tables = openTemporaryTables()
    say(tables.directory)
    process.stdin.once('data', () => process.exit())
  },
  /**
   * Obeys commands on stdin, one a line, and answers each with one line: `write <key> <bytes>`, `delete <key>`, `read` for the
   * tables; `save <key> <bytes>`, `load` for the store; `fill <bytes>` and `free` put a file of others on the same disk.
   */
  obey: () => obey(true),
  'obey-later': () => obey('later'),
}

function count(durable: TablesOptions['durable']): void {
  const tables = openTables(directory, { durable })
  const next = () =>
    tables.transact(
      (tx) => {
        const n = (tx.get(counters, 'n') ?? 0) + 1
        tx.put(counters, 'n', n)
        tx.put(counters, `${n}`, n)
        return n
      },
      (result) => {
        say(String(result))
        setImmediate(next)
      },
    )
  next()
}

function obey(durable: TablesOptions['durable']): void {
  const tables = openTables(directory, { durable })
  const store = openStore(directory)
  const answer = (outcome: unknown) => say(isRefused(outcome) ? `refused ${outcome.refused}: ${outcome.why}` : 'done')
  const others = `${directory}-of-others`
  let unread = ''
  process.stdin.on('data', (text) => {
    unread += String(text)
    for (let end = unread.indexOf('\n'); end >= 0; end = unread.indexOf('\n')) {
      const [verb, key = '', bytes = ''] = unread.slice(0, end).split(' ')
      unread = unread.slice(end + 1)
      if (verb === 'fill') {
        writeFileSync(others, new Uint8Array(Number(key)))
        say('filled')
      } else if (verb === 'free') {
        rmSync(others)
        say('freed')
      } else if (verb === 'delete') tables.transact((tx) => tx.delete(blobs, key), answer)
      else if (verb === 'read') say([...tables.view().range(blobs)].map(([at, blob]) => `${at}:${blob.length}`).join(' '))
      else if (verb === 'save')
        store.perform({ do: 'save', kind: 'blob', key, record: new Uint8Array(Number(bytes)) }, answer, () => undefined)
      else if (verb === 'load') {
        store.perform(
          { do: 'load' },
          (outcome) => say(isRefused(outcome) ? outcome.why : outcome.records.map((record) => record.key).join(' ')),
          () => undefined,
        )
      } else tables.transact((tx) => tx.put(blobs, key, new Uint8Array(Number(bytes))), answer)
    }
  })
  say('open')
}

try {
  doings[what]?.()
} catch (error) {
  say(`failed ${error instanceof Error ? error.message : String(error)}`)
}
