import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const LINES_MAX = 500
const CODE = ['src', 'actors', 'net', 'sim', 'test', 'bench', 'demo'].flatMap((folder) =>
  filesBelow(folder).filter((file) => file.endsWith('.ts')),
)

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

test('whoever adds an actor, a command or an endpoint also adds its line to the list beside it', (t) => {
  const lists = ['actors/index.ts', 'net/http/routes/index.ts', 'src/cli/index.ts']
  const missing = lists.flatMap((list) => {
    const folder = list.slice(0, list.lastIndexOf('/'))
    const text = readFileSync(join(ROOT, list), 'utf8')
    return CODE.filter((file) => file.startsWith(`${folder}/`) && file !== list && listedKind(file)).flatMap((file) =>
      text.includes(`./${relative(folder, file)}`) ? [] : [`${file} is not in ${list}`],
    )
  })
  t.deepEqual(missing, [])
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

test('the map in the README names every folder of the program', (t) => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const folders = ['src', 'actors', 'net', 'sim', 'test', 'bench', 'demo', 'docs']
  t.deepEqual(
    folders.filter((folder) => !readme.includes(`${folder}/`)),
    [],
  )
})

/** Whether a file defines one of the things that a flat list must name. */
function listedKind(file: string): boolean {
  const text = readFileSync(join(ROOT, file), 'utf8')
  return /export const \w+( =|: \w+<?.*) (defineActor|\{\n\s+(method|name): ')/.test(text) && /defineActor<|: Route = |: Command/.test(text)
}

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
