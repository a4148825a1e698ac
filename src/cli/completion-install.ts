import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Result, refuse } from '../kernel/refusal.ts'
import { fileProblem } from './http-settings.ts'
import { type Io, programName } from './io.ts'

/** Makes the shells of this user complete the program's command lines, or ends that. Answers the exit code. */
export function changeCompletion(want: 'install' | 'uninstall', io: Io): number {
  const shells = shellsOf(io).filter(({ folder }) => existsSync(folder))
  if (shells.length === 0) {
    io.err(`Did not find any shells to ${want}`)
    return 1
  }
  let failures = 0
  for (const shell of shells) {
    const changed = attempt(shell, want)
    if ('why' in changed) {
      io.err(changed.why)
      failures += 1
    } else io.out(`${want === 'install' ? 'Completion is installed in' : 'Completion is removed from'} ${shell.file}`)
  }
  return failures === 0 ? 0 : 1
}

/** `folder` is there if the user has the shell. A file that holds nothing else is `whole`. */
type Shell = { readonly folder: string; readonly file: string; readonly text: string; readonly whole: boolean }

function shellsOf({ env }: Pick<Io, 'env'>): Shell[] {
  const program = programName({ env })
  const home = env['HOME'] ?? ''
  if (home === '') return []
  const zsh = env['ZDOTDIR'] || home
  const fish = join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'fish')
  const bash = existsSync(join(home, '.bashrc')) ? '.bashrc' : '.bash_profile'
  const line = `complete -o default -C ${program} ${program}\n`
  return [
    { folder: join(home, bash), file: join(home, bash), text: line, whole: false },
    { folder: join(zsh, '.zshrc'), file: join(zsh, '.zshrc'), text: `${ZSH_BEFORE}${line}`, whole: false },
    { folder: fish, file: join(fish, 'completions', `${program}.fish`), text: fishScript(program), whole: true },
  ]
}

/** In zsh, `complete` stands on two modules, of which the first takes a while: it is loaded only if nobody has. */
const ZSH_BEFORE = `(( $+functions[compdef] )) || { autoload -U +X compinit && compinit }
autoload -U +X bashcompinit && bashcompinit
`

/** Asked once for each line; files are offered where the program knows nothing. */
function fishScript(program: string): string {
  return `function __complete_${program}
    set -lx COMP_LINE (commandline -cp)
    set -g __completions_of_${program} (${program})
    test (count $__completions_of_${program}) -gt 0
end
complete -c ${program} -f -n __complete_${program} -a '$__completions_of_${program}'
`
}

function attempt({ file, text, whole }: Shell, want: 'install' | 'uninstall'): Result<object> {
  try {
    const before = existsSync(file) ? readFileSync(file, 'utf8') : ''
    const installed = before.includes(text)
    if (want === 'install' && installed) return refuse('conflict', `already installed in ${file}`)
    if (want === 'uninstall' && !installed) return refuse('missing', `is not installed in ${file}`)
    if (want === 'install') add(file, before, text)
    else if (whole) rmSync(file)
    else writeFileSync(file, before.replace(text, ''))
    return {}
  } catch (error) {
    return refuse('invalid', fileProblem(file, error))
  }
}

function add(file: string, before: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  appendFileSync(file, before === '' || before.endsWith('\n') ? text : `\n${text}`)
}
