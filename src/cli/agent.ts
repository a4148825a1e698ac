import type { Command } from './command.ts'

export const agentCommand: Command = {
  summary: 'Run an agent',
  help: async (io) => (await import('../config/agent.ts')).agentHelp(io),
  flags: async () => (await import('../config/agent-flags.ts')).agentFlags,
  async run(args, io) {
    if (io.world === undefined) {
      io.err('==> an agent needs a machine to run on')
      return 1
    }
    const [{ runAgent }, world] = await Promise.all([import('../agent.ts'), io.world()])
    return runAgent([...args], io, world)
  },
}
