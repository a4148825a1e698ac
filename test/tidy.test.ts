import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { faults } from '../sim/faults/index.ts'
import { invariants } from '../sim/invariants/index.ts'
import type { Kind } from '../sim/kind.ts'
import { kinds, marks } from '../sim/marks.ts'
import { mutants } from '../sim/mutants/index.ts'
import { chanceDrawn } from '../sim/plan.ts'
import { conditions } from '../sim/rest/conditions.ts'
import { scenarios } from '../sim/scenarios/index.ts'
import { BAD_LUCK } from '../sim/tally.ts'
import { workloads } from '../sim/workloads/index.ts'
import { deadPaths, mapFaults, unlisted } from './kit/lists.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const LINES_MAX = 500
/** A campaign of so many runs of the scenario mixed has every kind of event, but for bad luck. */
const MIXED_RUNS_MAX = 300
const CODE = ['src', 'actors', 'net', 'sim', 'test', 'bench', 'demo'].flatMap((folder) =>
  filesBelow(folder).filter((file) => file.endsWith('.ts')),
)
const TEXTS = new Map(CODE.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]))
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
/** What people are to find their way in: not what is installed, built or hidden. */
const FOLDERS = readdirSync(ROOT, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && !['node_modules', 'dist'].includes(entry.name))
  .map(({ name }) => name)
const PATHS = new Set(FOLDERS.flatMap((folder) => filesBelow(folder)).flatMap((file) => [file, ...foldersOf(file)]))

/** Which folders may import which. A file may always import its own folder. */
const MAY_IMPORT: Record<string, RegExp> = {
  actors: /^(actors|src\/kernel)\//,
  'src/kernel': /^src\/kernel\//,
  net: /^(net|actors|src)\//,
  sim: /^(sim|actors|src)\//,
  src: /^(src|actors)\//,
}
/** These may import more: they tie the parts together. */
const TIES: Record<string, RegExp> = {
  'src/main.ts': /^net\/world\.ts$/,
  'src/connect-proxy.ts': /^net\//,
  'src/connect-haproxy.ts': /^net\/(logger|temporary-directory)\.ts$/,
  'src/client/connect/peer.ts': /^net\/mesh\/(names|reasons)\.ts$/,
  'src/cli/gossip-replay.ts': /^sim\/members\/replay\.ts$/,
  'src/cli/sim.ts': /^sim\/own\/index\.ts$/,
  'src/cli/tls-files.ts': /^net\/agent-certificates\.ts$/,
}

/** What actors may not use, and what to use instead. */
const FORBIDDEN_IN_ACTORS: [pattern: RegExp, instead: string][] = [
  [/\bDate\b/, 'turn.nowMs'],
  [/\bMath\.random\b/, 'turn.random'],
  [/\b(setTimeout|setInterval|setImmediate|queueMicrotask)\b/, 'turn.timer'],
  [/\basync\b|\bawait\b|\bnew Promise\b/, 'a message in `then`'],
  [/from 'node:/, 'a port'],
  [/\bprocess\./, 'a port'],
]

test('actors decide and ports act: no clock, no chance, no waiting in actors/', (t) => {
  const found = CODE.filter((file) => file.startsWith('actors/')).flatMap((file) => {
    const code = withoutComments(readFileSync(join(ROOT, file), 'utf8'))
    return FORBIDDEN_IN_ACTORS.filter(([pattern]) => pattern.test(code)).map(([pattern, instead]) => `${file}: ${pattern} -> ${instead}`)
  })
  t.deepEqual(found, [])
})

test('imports go one way', (t) => {
  const wrong = CODE.flatMap((file) => {
    const rule = Object.entries(MAY_IMPORT).find(
      ([folder]) => file.startsWith(`${folder}/`) && (folder !== 'src' || !file.startsWith('src/kernel/')),
    )
    if (!rule) return []
    return importsOf(file)
      .filter((imported) => !rule[1].test(imported) && !TIES[file]?.test(imported))
      .map((imported) => `${file} imports ${imported}`)
  })
  t.deepEqual(wrong, [])
})

test('the API has no sockets: the simulator runs it too', (t) => {
  const found = CODE.filter((file) => file.startsWith('src/http/')).flatMap((file) =>
    [...(TEXTS.get(file) ?? '').matchAll(/^import (.*) from '(node:.*)'$/gm)]
      .filter(
        ([, names = '', from = '']) =>
          !(from === 'node:net' ? /^\{ (type )?(BlockList|isIP(v[46])?)[^}]*\}$/.test(names) : ['node:crypto', 'node:os'].includes(from)),
      )
      .map(([line]) => `${file}: ${line}`),
  )
  t.deepEqual(found, [])
})

test('whoever adds something also adds its line to the list beside it', (t) => {
  t.deepEqual(unlisted(TEXTS), [])
})

const FORGOTTEN: [file: string, text: string, said: string[]][] = [
  [
    'actors/clock.ts',
    "export const clock = defineActor<ClockProtocol, { tick: Cast<null> }, null>({\n  name: 'clock',\n",
    ['actor clock of actors/clock.ts is not in actors/index.ts', 'actor clock of actors/clock.ts is not in src/placement.ts'],
  ],
  [
    'actors/kv/commands.ts',
    'export const kvRename: CommandFunction<KvRename, null> = (tx) => {',
    ['state change kvRename of actors/kv/commands.ts is not in actors/commands.ts'],
  ],
  [
    'actors/clock.ts',
    "export const clockTable = table<1>('clocks', 99)",
    ['table clockTable of actors/clock.ts is not in actors/tables.ts'],
  ],
  [
    'src/http/routes/clock.ts',
    'export const clockRoute: Route = {',
    ['endpoint clockRoute of src/http/routes/clock.ts is not in src/http/routes/index.ts'],
  ],
  [
    'src/http/routes/clock.ts',
    'const tickRoute: ReadRoute = tick(1)',
    ['endpoint tickRoute of src/http/routes/clock.ts is not in src/http/routes/index.ts'],
  ],
  [
    'src/http/routes/clock.ts',
    'const tickRoute: Route = {\n}\nexport const clockRoutes: readonly Route[] = [tickRoute]\n',
    ['endpoint clockRoutes of src/http/routes/clock.ts is not in src/http/routes/index.ts'],
  ],
  [
    'src/cli/clock.ts',
    'export const clockCommand = defineCommand({',
    ['command clockCommand of src/cli/clock.ts is not in src/cli/index.ts'],
  ],
  [
    'src/cli/clock.ts',
    'export const clockCommand = defineApiCommand({',
    ['command clockCommand of src/cli/clock.ts is not in src/cli/index.ts'],
  ],
  ['src/cli/clock.ts', 'export const clockCommand: Command = {', ['command clockCommand of src/cli/clock.ts is not in src/cli/index.ts']],
  [
    'sim/faults/clock.ts',
    'export const clockStops = defineFault({',
    ['fault clockStops of sim/faults/clock.ts is not in sim/faults/index.ts'],
  ],
  [
    'sim/faults/clock.ts',
    'const clockStops = defineFault({\n})\nexport const clockFaults: readonly Kind[] = [clockStops]\n',
    ['fault clockFaults of sim/faults/clock.ts is not in sim/faults/index.ts'],
  ],
  ['sim/workloads/clock.ts', 'const wind = defineWorkload({', ['workload wind of sim/workloads/clock.ts is not in sim/workloads/index.ts']],
  [
    'sim/invariants/clock.ts',
    'const clockTicks: Invariant = {',
    ['invariant clockTicks of sim/invariants/clock.ts is not in sim/invariants/index.ts'],
  ],
  [
    'sim/mutants/clock.ts',
    'export const lateClock = mutant({',
    ['mutant lateClock of sim/mutants/clock.ts is not in sim/mutants/index.ts'],
  ],
  ['bench/clock.ts', 'export const clock: Benchmark = {', ['benchmark clock of bench/clock.ts is not in bench/index.ts']],
]

for (const [file, text, said] of FORGOTTEN) {
  test(`a line that was forgotten is noticed: ${said.join('; ')} (${text.split('\n')[0]})`, (t) => {
    t.deepEqual(unlisted(new Map([...TEXTS, [file, `${TEXTS.get(file) ?? ''}\n${text}`]])), said)
  })
}

test('a thing that leaves its list is noticed, even in the file that has the list', (t) => {
  const file = 'sim/faults/machines.ts'
  const without = TEXTS.get(file)?.replace(/(: readonly Kind\[\] = \[\s*)crash,\s*/, '$1') ?? ''
  t.deepEqual(unlisted(new Map([...TEXTS, [file, without]])), [`fault crash of ${file} is not in sim/faults/index.ts`])
})

test('the simulator proves what it has: every kind of event is drawn, every mutant is caught by an invariant that exists', (t) => {
  const runsNeeded = (kind: Kind) => Math.log(BAD_LUCK) / Math.log(1 - chanceDrawn(kind))
  t.deepEqual(
    kinds.filter((kind) => !(runsNeeded(kind) <= MIXED_RUNS_MAX)).map(({ name }) => `${name} is too rare in the scenario mixed`),
    [],
  )
  const kindNames = kinds.map(({ name }) => name)
  t.deepEqual(
    marks.filter(({ kind }) => !kindNames.includes(kind)).map(({ name, kind }) => `${name}: there is no ${kind}`),
    [],
  )
  t.deepEqual(
    scenarios.flatMap(({ certain = [] }) => certain).filter((name) => !kindNames.includes(name)),
    [],
  )
  const names = [...invariants, ...conditions].map(({ name }) => name)
  t.deepEqual(
    mutants.filter(({ caughtBy }) => !names.includes(caughtBy)).map(({ name }) => name),
    [],
  )
  for (const list of [[...faults, ...workloads], [...invariants, ...conditions], mutants, scenarios]) {
    t.is(new Set(list.map(({ name }) => name)).size, list.length)
  }
})

test('files stay readable', (t) => {
  t.deepEqual(
    CODE.filter((file) => readFileSync(join(ROOT, file), 'utf8').split('\n').length > LINES_MAX).map(
      (file) => `${file} has more than ${LINES_MAX} lines`,
    ),
    [],
  )
})

test('nothing is silenced', (t) => {
  const found = CODE.filter((file) => file !== 'test/tidy.test.ts').flatMap((file) => {
    const code = withoutComments(readFileSync(join(ROOT, file), 'utf8'))
    return [/: any\b/, /\bas any\b/, /@ts-(ignore|expect-error|nocheck)/, /catch *(\([^)]*\))? *\{\s*\}/, /test\.(skip|todo|failing)\b/]
      .filter((pattern) => pattern.test(code))
      .map((pattern) => `${file}: ${pattern}`)
  })
  t.deepEqual(found, [])
})

test('the map in the README is the tree', (t) => {
  t.deepEqual(mapFaults(README, FOLDERS, PATHS), [])
  t.deepEqual(mapFaults(README, [...FOLDERS, 'ui'], PATHS), ['ui/ is not in the map'])
  t.deepEqual(mapFaults(README.replace('src/ ', 'source/ '), FOLDERS, PATHS).slice(0, 2), [
    'src/ is not in the map',
    'the map names source, which is not there',
  ])
  t.deepEqual(mapFaults(README.replace('main.ts', 'start.ts'), FOLDERS, PATHS), ['the map names src/start.ts, which is not there'])
})

test('the pages name only files that exist', (t) => {
  const pages = ['README.md', ...filesBelow('docs').filter((file) => file.endsWith('.md'))]
  const dead = pages.flatMap((page) => deadPaths(readFileSync(join(ROOT, page), 'utf8'), PATHS).map((path) => `${page} names ${path}`))
  t.deepEqual(dead, [])
  t.deepEqual(deadPaths('see `net/http/nowhere.ts`, `actors/x.ts` and `src/kernel/`.', PATHS), ['net/http/nowhere.ts'])
})

test('the pages name only tests that exist', (t) => {
  const tests = CODE.filter((file) => file.startsWith('test/')).map((file) => TEXTS.get(file) ?? '')
  const quoted = [...readFileSync(join(ROOT, 'docs/security.md'), 'utf8').matchAll(/“([^”]+)”/g)].map(([, name = '']) =>
    name.replace(/\s+/g, ' '),
  )
  t.true(quoted.length > 0)
  // `…` stands for what a test's name has from a list.
  const parts = quoted.flatMap((name) => name.split('…').map((part) => part.trim()))
  t.deepEqual(
    parts.filter((part) => !tests.some((text) => text.includes(part))),
    [],
  )
})

function importsOf(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
  return [...text.matchAll(/(?:from|import\() ?'(\.[^']+)'/g)].map(([, target = '']) => relative(ROOT, join(ROOT, file, '..', target)))
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
}

/** Each folder above a file. */
function foldersOf(file: string): string[] {
  const parts = file.split('/').slice(0, -1)
  return parts.map((_, at) => parts.slice(0, at + 1).join('/'))
}
