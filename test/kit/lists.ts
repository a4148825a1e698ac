/** The files of the program by their path, each with its text. */
export type Files = ReadonlyMap<string, string>

/** One kind of thing that a flat list must name. `defined` finds the names of those in a file, as its first group. */
type Kind = { what: string; folder: string; file: string; list: string; defined: RegExp }

const KINDS: readonly Kind[] = [
  { what: 'actor', folder: 'actors/', file: 'actors/index.ts', list: 'actors', defined: /^(?:export )?const (\w+) = defineActor\b/gm },
  {
    what: 'actor',
    folder: 'actors/',
    file: 'src/placement.ts',
    list: 'placement',
    defined: /^(?:export )?const \w+ = defineActor<[\s\S]*?\n {2}name: '([\w-]+)'/gm,
  },
  {
    what: 'state change',
    folder: 'actors/',
    file: 'actors/commands.ts',
    list: 'commands',
    defined: /^export const (\w+): CommandFunction</gm,
  },
  { what: 'table', folder: 'actors/', file: 'actors/tables.ts', list: 'tables', defined: /^export const (\w+) = (?:table|stored)</gm },
  {
    what: 'endpoint',
    folder: 'src/http/routes/',
    file: 'src/http/routes/index.ts',
    list: 'routes',
    defined: /^(?:export )?const (\w+): (?:Read|Ask|Run)?Route =|^export const (\w+): readonly Route\[\] =/gm,
  },
  {
    what: 'command',
    folder: 'src/cli/',
    file: 'src/cli/index.ts',
    list: 'commands',
    defined: /^export const (\w+)(?:: Command = | = define(?:Api)?Command\()/gm,
  },
  {
    what: 'fault',
    folder: 'sim/faults/',
    file: 'sim/faults/index.ts',
    list: 'faults',
    defined: /^(?:export )?const (\w+) = defineFault\(|^export const (\w+): readonly Kind\[\] =/gm,
  },
  {
    what: 'workload',
    folder: 'sim/workloads/',
    file: 'sim/workloads/index.ts',
    list: 'workloads',
    defined: /^(?:export )?const (\w+) = defineWorkload\(|^export const (\w+): readonly Kind\[\] =/gm,
  },
  {
    what: 'invariant',
    folder: 'sim/invariants/',
    file: 'sim/invariants/index.ts',
    list: 'invariants',
    defined: /^(?:export )?const (\w+): Invariant =/gm,
  },
  {
    what: 'mutant',
    folder: 'sim/mutants/',
    file: 'sim/mutants/index.ts',
    list: 'mutants',
    defined: /^(?:export )?const (\w+)(?:: Mutant = | = mutant\()/gm,
  },
  { what: 'benchmark', folder: 'bench/', file: 'bench/index.ts', list: 'benchmarks', defined: /^(?:export )?const (\w+): Benchmark =/gm },
]

/** Everything that is defined and missing from its list, and lists that cannot be found, as sentences. */
export function unlisted(files: Files): string[] {
  return KINDS.flatMap(({ what, folder, file: listFile, list, defined }) => {
    const listed = bodyOf(files.get(listFile) ?? '', list)
    if (listed === undefined) return [`${listFile} has no list "${list}"`]
    return [...files].flatMap(([file, text]) => {
      if (!file.startsWith(folder) || !file.endsWith('.ts')) return []
      const names = [...text.matchAll(defined)].flatMap(([, ...groups]) => groups.filter((name) => name !== undefined && name !== list))
      // A file may gather its own things into one list, which is then what must be listed.
      const gathered = [...text.matchAll(/^export const (\w+): readonly \w+\[\] =/gm)]
        .filter(([, name = '']) => name !== list)
        .map(([, name = '']) => bodyOf(text, name) ?? '')
        .join(' ')
      return names
        .filter((name) => !isNamed(listed, name) && !isNamed(gathered, name))
        .map((name) => `${what} ${name} of ${file} is not in ${listFile}`)
    })
  })
}

/** What stands between the brackets of an exported list. */
function bodyOf(text: string, list: string): string | undefined {
  return new RegExp(`^export const ${list}\\b[^=]*= [[{](?:(.*)[\\]}]$|\\n([\\s\\S]*?)^[\\]}])`, 'm').exec(text)?.slice(1).join('')
}

function isNamed(list: string, name: string): boolean {
  return new RegExp(`(?<![\\w'-])['"]?${name}['"]?(?![\\w'-])`).test(list)
}

/** What the README's map says that is not so, and what it does not say. `folders` are all at the top, `paths` all there are. */
export function mapFaults(readme: string, folders: readonly string[], paths: ReadonlySet<string>): string[] {
  const map = /## The map\n+```\n([\s\S]*?)```/.exec(readme)?.[1]
  if (map === undefined) return ['the README has no map']
  const lines = new Map([...map.matchAll(/^(\w+)\/ +(.*)$/gm)].map(([, folder = '', about = '']) => [folder, about]))
  const missing = folders.filter((folder) => !lines.has(folder)).map((folder) => `${folder}/ is not in the map`)
  const gone = [...lines].flatMap(([folder, about]) => {
    const named = [...about.matchAll(/(?<![\w/])[\w-]+(?:\/(?![\w])|\.(?:ts|md))/g)].map(([name]) => `${folder}/${name.replace(/\/$/, '')}`)
    return [folder, ...named].filter((path) => !paths.has(path)).map((path) => `the map names ${path}, which is not there`)
  })
  return [...missing, ...gone]
}

/** Paths of the program in a page that do not exist. What has a placeholder (`x`, `<name>`, `*`) is nobody's path. */
export function deadPaths(page: string, paths: ReadonlySet<string>): string[] {
  const named = [...page.matchAll(/(?<![\w/.@-])(?:src|actors|net|sim|test|bench|demo|docs|bin)\/[\w./<>*-]*/g)].map(([path]) =>
    path.replace(/[./]+$/, ''),
  )
  return [...new Set(named)].filter((path) => !paths.has(path) && !/[<*]|(^|\/)x([.-]|$)|^sim\/failed/.test(path))
}
