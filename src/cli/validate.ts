import { isRefused } from '../kernel/refusal.ts'
import { defineCommand } from './command.ts'

export const validateCommand = defineCommand({
  summary: 'Check configuration files',
  usage: 'validate [options] FILE_OR_DIRECTORY...',
  about: `
Reads configuration files, and all .json and .hcl files of folders, as an agent would, and says everything that is wrong with them. The exit code is 0 if an agent can run with them.

    $ tribune validate /etc/tribune
`,
  flags: {
    'config-format': { kind: 'string', about: 'Read all files as "json" or "hcl", whatever their names end in.' },
    quiet: { kind: 'boolean', about: 'Say nothing if all is well.' },
  },
  async run({ flags, rest, io, fail, misused }) {
    if (rest.length === 0) return misused('Must specify at least one config file or directory')
    const { loadConfig, machine } = await import('../config/index.ts')
    const format = flags['config-format']
    const loaded = loadConfig({
      flags: { 'config-file': [...rest], ...(format === undefined ? {} : { 'config-format': format }) },
      host: machine,
      purpose: 'validate',
    })
    if (isRefused(loaded)) return fail(`Config validation failed: ${loaded.why}`)
    for (const warning of loaded.warnings) io.err(warning)
    if (!flags.quiet) io.out('Configuration is valid!')
    return 0
  },
})
