import { HELP_REQUESTED } from '../cli/go-flags.ts'
import { commandHelp, flagDump } from '../cli/help.ts'
import type { Io } from '../cli/io.ts'
import { isRefused } from '../kernel/refusal.ts'
import { agentFlags, parseAgentFlags } from './agent-flags.ts'
import type { Config } from './config.ts'
import { type ConfigHost, machine } from './host.ts'
import { loadConfig } from './load.ts'

/**
 * The configuration that the arguments of `agent` name. If there is none to run with, because of a mistake or because only help
 * was wanted, everything has been said on `io` and the answer is the exit code.
 */
export function loadAgentConfig(
  args: readonly string[],
  io: Io,
  host: ConfigHost = machine,
): number | { config: Config; warnings: string[] } {
  const parsed = parseAgentFlags(args)
  if ('error' in parsed) {
    if (parsed.error === HELP_REQUESTED) {
      io.out(agentHelp(io))
      return 0
    }
    io.err(parsed.error)
    io.err(flagDump(agentFlags))
    return 1
  }
  if (parsed.rest.length > 0) {
    io.err(`==> Unexpected extra arguments: [${parsed.rest.join(' ')}]`)
    return 1
  }
  const loaded = loadConfig({ flags: parsed.flags, host })
  if (!isRefused(loaded)) return loaded
  io.err(`==> ${loaded.why.trimEnd()}`)
  return 1
}

/** The whole help of `agent`. */
export function agentHelp(io: Pick<Io, 'env'>): string {
  return commandHelp(io, { usage: 'agent [options]', about: ABOUT }, {}, agentFlags)
}

const ABOUT = `
Starts the agent and runs until it is stopped. An agent answers HTTP and DNS on this machine, looks after the services and
checks it is told of, and runs their sidecar proxies.

What it is to do comes from configuration files in JSON or HCL and from the flags below, which win over files.

Start a server for development, which keeps everything in memory:

    $ tribune agent -dev

Start a server that keeps its state, with service definitions from a folder:

    $ tribune agent -server -bootstrap -data-dir /var/lib/tribune -config-dir /etc/tribune

Start a client, on every other machine:

    $ tribune agent -data-dir /var/lib/tribune -config-dir /etc/tribune -retry-join 10.0.0.1
`
