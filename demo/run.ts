import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { get } from 'node:http'
import { fileURLToPath } from 'node:url'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const TRIBUNE = fileURLToPath(new URL('../bin/tribune', import.meta.url))
const AGENT = 'http://127.0.0.1:8500'
const READY_WITHIN_MS = 20_000

const children: ChildProcess[] = []
const agentLog: string[] = []
let stopping = false

/** Shows the mesh at work on this machine: found, encrypted, denied, allowed. Then leaves it running. */
async function main(): Promise<void> {
  say('Tribune demo: two unchanged applications, two sidecars, one agent.')
  step('1. Start two applications and an agent')
  explain(
    'web listens on 127.0.0.1:8080 and asks its database at 127.0.0.1:9191.',
    'db listens on 127.0.0.1:8081. Neither knows of the other, nor of TLS.',
  )
  start('web', process.execPath, [`${HERE}web.ts`])
  start('db', process.execPath, [`${HERE}db.ts`])
  explain('The agent reads demo/services/. One line in each file starts a sidecar:  "connect": { "proxy": {} }')
  shell('tribune agent -dev -config-dir demo/services')
  const agent = start('agent', TRIBUNE, ['agent', '-dev', '-log-level=info', '-config-dir', `${HERE}services`])
  collect(agent)
  const began = performance.now()
  const sidecars = await sidecarsReady()
  explain(`Ready after ${((performance.now() - began) / 1_000).toFixed(1)} s.`)
  explain(
    'web 127.0.0.1:8080 -> 127.0.0.1:9191 [web sidecar]',
    `                        == mutual TLS ==>  127.0.0.1:${sidecars.get('db')} [db sidecar] -> db 127.0.0.1:8081`,
  )

  step('2. A request from web reaches db through both sidecars')
  shell('curl http://127.0.0.1:8080/')
  show((await fetched('http://127.0.0.1:8080/')).trim())
  const leaf = JSON.parse(await fetched(`${AGENT}/v1/agent/connect/ca/leaf/web`)) as { ServiceURI: string; SerialNumber: string }
  explain(
    `web proved to be ${leaf.ServiceURI}`,
    `with certificate ${leaf.SerialNumber}, made by the agent's own authority and renewed by itself.`,
  )

  step('3. Deny web => db: new connections are refused, open ones are closed')
  const stream = await openStream('http://127.0.0.1:8080/stream')
  explain('A connection is open: web streams from db, ten ticks a second.')
  const deniedAt = performance.now()
  await command('intention', 'create', '-deny', 'web', 'db')
  const ticks = await stream.closed
  explain(`The open connection was closed ${Math.round(performance.now() - deniedAt)} ms after the command began, after ${ticks} ticks.`)
  shell('curl http://127.0.0.1:8080/')
  show((await fetched('http://127.0.0.1:8080/')).trim())
  explain('What the sidecar of db wrote about it:')
  show(await logLine((line) => /refused|denied|closed/i.test(line) && line.includes('web') && line.includes('db')))

  step('4. Allow it again')
  await command('intention', 'create', '-replace', '-allow', 'web', 'db')
  await command('intention', 'check', 'web', 'db')
  shell('curl http://127.0.0.1:8080/')
  show(
    await until(
      'web reaches db again',
      async () => (await fetched('http://127.0.0.1:8080/')).trim(),
      (text) => text.includes('three rows'),
    ),
  )

  step('The mesh goes on running. Look around, in another terminal:')
  show(
    'bin/tribune members                       who is there',
    'bin/tribune catalog services              what is registered',
    'bin/tribune intention list                who may talk to whom',
    'bin/tribune actors                        every actor, its thread and its mailbox',
    'bin/tribune kv put greeting hello         configuration',
    `curl ${AGENT}/v1/health/connect/db?pretty`,
    'dig @127.0.0.1 -p 8600 db.connect.consul SRV',
  )
  say('Ctrl-C ends it.')
}

function start(name: string, file: string, args: string[]): ChildProcess {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  child.stderr?.on('data', (text) => process.stderr.write(`[${name}] ${text}`))
  child.on('exit', (code) => {
    if (stopping) return
    say(`${name} ended by itself (exit code ${code}).`)
    if (name === 'agent') show(...agentLog.slice(-20))
    void stop(1)
  })
  return child
}

function collect(agent: ChildProcess): void {
  let rest = ''
  agent.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n')
    rest = lines.pop() ?? ''
    agentLog.push(...lines)
    if (agentLog.length > 10_000) agentLog.splice(0, 5_000)
  })
}

/** The ports of the sidecars, once both are healthy in the catalog. */
async function sidecarsReady(): Promise<Map<string, number>> {
  const ports = new Map<string, number>()
  for (const name of ['web', 'db']) {
    const found = await until(
      `the sidecar of ${name} is healthy`,
      async () => JSON.parse(await fetched(`${AGENT}/v1/health/connect/${name}?passing`)) as { Service: { Port: number } }[],
      (entries) => entries.length > 0,
    )
    ports.set(name, found[0]?.Service.Port ?? 0)
  }
  await until(
    'web reaches db',
    async () => fetched('http://127.0.0.1:8080/'),
    (text) => text.includes('three rows'),
  )
  return ports
}

function logLine(wanted: (line: string) => boolean): Promise<string> {
  return until(
    'the sidecar logs its refusal',
    async () => agentLog.findLast(wanted) ?? '',
    (line) => line !== '',
  )
}

/** Asks again until the answer is as wanted. */
async function until<T>(what: string, ask: () => Promise<T>, wanted: (answer: T) => boolean): Promise<T> {
  const deadline = performance.now() + READY_WITHIN_MS
  for (let last: unknown; ; ) {
    try {
      const answer = await ask()
      if (wanted(answer)) return answer
      last = answer
    } catch (error) {
      last = error
    }
    if (performance.now() > deadline) throw new Error(`${what}: not within ${READY_WITHIN_MS / 1_000} s; last: ${String(last)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function fetched(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false }, (response) => {
      let text = ''
      response.on('data', (chunk) => (text += chunk))
      response.on('end', () => resolve(text))
      response.on('error', reject)
    })
    request.on('error', reject)
  })
}

/** Opens an answer without an end. `closed` tells how many ticks came before somebody closed it. */
function openStream(url: string): Promise<{ closed: Promise<number> }> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let ticks = 0
      const closed = new Promise<number>((ended) => {
        response.on('close', () => ended(ticks))
        response.on('error', () => ended(ticks))
      })
      response.on('data', () => {
        if (++ticks === 3) resolve({ closed })
      })
    }).on('error', reject)
  })
}

function command(...args: string[]): Promise<void> {
  shell(`tribune ${args.join(' ')}`)
  return new Promise((resolve, reject) => {
    execFile(TRIBUNE, args, (error, stdout, stderr) => {
      show(`${stdout}${stderr}`.trim() || 'ok')
      if (error) reject(new Error(`tribune ${args.join(' ')} failed`))
      else resolve()
    })
  })
}

async function stop(code: number): Promise<never> {
  stopping = true
  const ended = children
    .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
    .map((child) => {
      const done = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      return done
    })
  await Promise.all(ended)
  process.exit(code)
}

const bold = (text: string) => (process.stdout.isTTY ? `\x1b[1m${text}\x1b[0m` : text)

function say(text: string): void {
  console.log(`\n${bold(text)}`)
}

function step(text: string): void {
  say(text)
}

function explain(...lines: string[]): void {
  for (const line of lines) console.log(`   ${line}`)
}

function shell(text: string): void {
  console.log(`   $ ${text}`)
}

function show(...lines: string[]): void {
  for (const line of lines) console.log(`     ${line.replaceAll('\n', '\n     ')}`)
}

process.on('SIGINT', () => void stop(0))
process.on('SIGTERM', () => void stop(0))
main().catch((error: Error) => {
  say(`The demo failed: ${error.message}`)
  show(...agentLog.slice(-20))
  void stop(1)
})
