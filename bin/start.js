import { existsSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

// Keeps compiled code in a folder of this user's own, where nobody else can put any. This file is JavaScript because the first
// TypeScript file that is not in the cache costs half of a command's time.
enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tribune'))

// Node does not read TypeScript inside node_modules, so an installed package runs what was built.
const root = join(import.meta.dirname, '..')
const source = join(root, 'src', 'main.ts')
const built = join(root, 'dist', 'src', 'main.js')
const main = existsSync(source) && !root.split('/').includes('node_modules') ? source : built
if (!existsSync(main)) {
  process.stderr.write(`tribune: ${root} has neither src/main.ts nor dist/src/main.js: run npm run build there\n`)
  process.exit(1)
}
await import(main)
