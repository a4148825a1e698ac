import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { cleanEnvironment, TRIBUNE } from '../kit/agents.ts'
import { runProgram } from '../kit/running.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { agentFile, DB, folderOf, ONE, THREE, WEB } from '../sim/own-kit.ts'
import { type Outcome, runCommand } from './kit.ts'

const EXAMPLE = fileURLToPath(new URL('../../examples/simulation', import.meta.url))

/** Writes a scenario beside the agents and runs it. What failed is saved as `failed.json` in the same folder. */
async function simulate(t: ExecutionContext, files: Readonly<Record<string, string>>, scenario: object, ...args: string[]) {
  const dir = folderOf(t, files)
  const folder = temporaryDirectory(t)
  const path = join(folder, 'scenario.json')
  const saved = join(folder, 'failed.json')
  writeFileSync(path, JSON.stringify(scenario))
  const outcome = await runCommand(['sim', '-config-dir', dir, '-scenario', path, '-save', saved, ...args])
  return { ...outcome, dir, path, saved }
}

function plain({ out }: Outcome): string {
  return out.replace(/in [\d.]+ s\n/, 'in no time\n')
}

test('a single agent without trouble: everything is reached, and the exit code is 0', async (t) => {
  const { code, out, err } = await runCommand([
    'sim',
    '-config-dir',
    folderOf(t, ONE),
    '-faults',
    'none',
    '-runs',
    '2',
    '-seconds',
    '20',
    '-seed',
    's',
  ])
  t.is(err, '')
  t.is(code, 0)
  t.regex(out, /^seed s, 2 runs of 20 s, 1 agent: solo \(db, web\)\n/)
  t.regex(out, /\nweb reaches db 100 % of the time\n/)
  t.regex(out, /\nnothing broke\n$/)
})

test('equal seeds give equal runs', async (t) => {
  const dir = folderOf(t, ONE)
  const run = (seed: string) => runCommand(['sim', '-config-dir', dir, '-runs', '3', '-seconds', '20', '-seed', seed])
  const [one, same, other] = [await run('a'), await run('a'), await run('b')]
  t.is(plain(one), plain(same))
  t.not(plain(one), plain(other))
})

test('an expectation that is not met: what happened and why, the shrunk scenario, and the same again from its file', async (t) => {
  const { code, out, err, saved, dir } = await simulate(t, THREE, {
    seconds: 60,
    seed: 'lost',
    events: [
      { at: '15s', do: 'crash', node: 'n2', for: '30s', how: 'aloud' },
      { at: '20s', do: 'crash', node: 'n3', for: '12s', how: 'aloud' },
      { at: '50s', do: 'clock-jump', node: 'n1', by: '1s', for: '1s' },
    ],
    expect: ['comes to rest within 1m', 'web reaches db within 5s', 'n2 is back within 10s'],
  })
  t.is(err, '')
  t.is(code, 1)
  t.regex(
    out,
    /longest: db unreachable from web for 1\d(\.\d)? s \(from (19|20)\.\d s to 3\d\.\d s\) after losing agent n2 and losing agent n3\n/,
  )
  t.regex(out, /\nmet: comes to rest within 1m\n/)
  t.regex(out, /\nNOT MET: web reaches db within 5s: db unreachable from web for /)
  t.regex(out, /\nNOT MET: n2 is back within 10s: n2 was away for 3\d(\.\d)? s .* after losing agent n2\n/)
  t.regex(
    out,
    /\nFAILED {2}expected: web reaches db within 5s\n {2}but db unreachable from web for .* after losing agent n2 and losing agent n3\n/,
  )
  t.regex(out, /\n {2}seed lost, 2 of 3 events matter \(tried \d+ smaller runs\)\n/)
  t.regex(out, /\n +\d+\.\d s {2}web does not reach db\n/)
  t.true(out.includes(`  again:  tribune sim -config-dir ${dir} -scenario ${saved}\n`))
  const written = JSON.parse(readFileSync(saved, 'utf8'))
  t.deepEqual(
    written.events.map((event: { do: string; node: string }) => [event.do, event.node]),
    [
      ['crash', 'n2'],
      ['crash', 'n3'],
    ],
  )
  t.deepEqual(written.expect, ['web reaches db within 5s'])
  const again = await runCommand(['sim', '-config-dir', dir, '-scenario', saved, '-save', `${saved}.2`])
  t.is(again.code, 1)
  t.regex(again.out, /\nFAILED {2}expected: web reaches db within 5s\n/)
})

test('everything that may be expected, when it is so and when it is not', async (t) => {
  const events = [
    { at: '10s', do: 'program-stops', node: 'n2', service: 'db', how: 'refused', for: '15s' },
    { at: '30s', do: 'intention.deny', rule: 'web > db' },
    { at: '45s', do: 'intention.allow', rule: 'web > db' },
  ]
  const expect = [
    'web on n1 reaches db within 1s to 9s',
    'web never reaches db from 32s to 45s',
    'db on n2 is passing on n1 to 10s',
    'db on n2 is critical on n1 from 14s to 24s',
    'db on n3 is passing',
    'db is passing from 30s',
    'max of health propagation under 1s',
    'p50 of propagation under 1s',
    'n1 is back within 1s',
    'comes to rest within 10s',
  ]
  const good = await simulate(t, THREE, { seed: 'so', events, expect })
  t.is(good.code, 0, good.out)
  t.deepEqual(
    good.out.split('\n').filter((line) => line.startsWith('met: ')),
    expect.map((text) => `met: ${text}`),
  )
  t.false(existsSync(good.saved))
  const wrong: [text: string, why: RegExp][] = [
    ['web reaches db', /db unreachable from web for 1\d(\.\d)? s \(.*\) because the intentions deny it/],
    ['web never reaches db', /web reached db at \d\.\d s/],
    ['db is passing on n1', /db was not passing, as n1 knows it, for 1\d(\.\d)? s .* after the program db on n2 being stopped/],
    ['db on n3 is critical on n2', /db on n3 was not critical, as n2 knows it, for [\d.]+ s .* (after|without) /],
    ['max of propagation under 0s', /max of propagation was [\d.]+ m?s \(\d+ changes\)/],
    ['comes to rest within 0s', /it came to rest [\d.]+ m?s after all trouble had ended/],
  ]
  for (const [text, why] of wrong) {
    const { code, out } = await simulate(t, THREE, { seed: 'so', events, expect: [text] })
    t.is(code, 1, text)
    t.regex(out, new RegExp(`\\nNOT MET: ${text}: ${why.source}`))
  }
})

test('clients have no vote: one server decides without them', async (t) => {
  const client = (address: string) => `bind_addr = "${address}"\nconnect { enabled = true }\n`
  const { code, out } = await simulate(
    t,
    {
      'a/agent.hcl': client('10.1.0.1'),
      'b/agent.hcl': client('10.1.0.2'),
      's/agent.hcl': 'server = true\nbind_addr = "10.1.0.3"\nconnect { enabled = true }\n',
      's/db.hcl': DB,
    },
    {
      seed: 'clients',
      seconds: 40,
      events: [
        { at: '8s', do: 'crash', node: 'a', how: 'aloud', for: '20s' },
        { at: '8s', do: 'crash', node: 'b', how: 'aloud', for: '20s' },
        { at: '12s', do: 'program-stops', node: 's', how: 'refused', for: '14s' },
      ],
      expect: ['db is critical on s within 0s from 16s to 25s', 'db is passing on s within 0s from 30s', 'a is back within 25s'],
    },
  )
  t.is(code, 0, out)
})

test('services of clients reach each other while servers are lost and come back, also when a client is started again meanwhile', async (t) => {
  const client = (address: string) => `bind_addr = "${address}"\nretry_join = ["10.1.0.1"]\nconnect { enabled = true }\n`
  const { code, out } = await simulate(
    t,
    {
      's1/agent.hcl': agentFile('10.1.0.1'),
      's2/agent.hcl': agentFile('10.1.0.2'),
      's3/agent.hcl': agentFile('10.1.0.3'),
      'c1/agent.hcl': client('10.1.1.1'),
      'c1/web.hcl': WEB,
      'c2/agent.hcl': client('10.1.1.2'),
      'c2/db.hcl': DB,
    },
    {
      seed: 'clients',
      seconds: 70,
      events: [
        { at: '12s', do: 'crash', node: 's1', how: 'silently', for: '20s' },
        { at: '14s', do: 'crash', node: 's2', how: 'silently', for: '18s' },
        { at: '16s', do: 'crash', node: 's3', how: 'aloud', for: '16s' },
        { at: '23s', do: 'crash', node: 'c1', how: 'aloud', for: '1s' },
        { at: '50s', do: 'crash', node: 'c2', how: 'silently', for: '5s' },
      ],
      expect: [
        'web reaches db within 1s from 11s to 22s',
        'web reaches db within 1s from 26s to 49s',
        'c1 is back within 3s',
        'c2 is back within 20s',
        'db is passing on s1 from 65s',
        'comes to rest within 30s',
      ],
    },
  )
  t.is(code, 0, out)
})

test('checks of all kinds pass while their program runs, and fail when it is stopped', async (t) => {
  const service = {
    name: 'api',
    port: 80,
    checks: [
      { name: 'ttl', ttl: '3s' },
      { name: 'script', args: ['/bin/api-check'], interval: '1s' },
      { name: 'v6', http: 'https://[::1]/health', interval: '2s', timeout: '1s' },
    ],
  }
  const files = {
    'a.json': JSON.stringify({
      server: true,
      node_name: 'solo',
      enable_local_script_checks: true,
      service,
      checks: [
        { name: 'disk', args: ['/bin/df'], interval: '5s' },
        { name: 'beside', tcp: 'localhost:81', interval: '1s', service_id: 'api' },
      ],
    }),
  }
  for (const name of ['ttl', 'script', 'v6', 'beside']) {
    const alone = { ...service, checks: service.checks.filter((check) => check.name === name) }
    const { checks, ...rest } = JSON.parse(files['a.json'])
    const own = name === 'beside' ? checks : []
    const { code, out } = await simulate(
      t,
      { 'a.json': JSON.stringify({ ...rest, service: alone, checks: own }) },
      {
        seconds: 40,
        seed: 'checks',
        events: [{ at: '15s', do: 'program-stops', node: 'solo', service: 'api', how: 'refused', for: '10s' }],
        expect: [
          'api is passing within 0s from 5s to 14s',
          'api is critical within 0s from 20s to 24s',
          'api is passing within 0s from 30s',
        ],
      },
    )
    t.is(code, 0, `${name}: ${out}`)
  }
  t.is((await simulate(t, files, { seconds: 20, expect: ['api is passing from 5s'] })).code, 0)
})

test('as JSON', async (t) => {
  const { code, out } = await simulate(t, THREE, { seed: 'json', seconds: 30, expect: ['web never reaches db'] }, '-json')
  t.is(code, 1)
  const report = JSON.parse(out)
  t.is(report.seed, 'json')
  t.deepEqual(report.pairs[0].source, 'web')
  t.is(report.pairs[0].reachable, 1)
  t.deepEqual(report.failed.expect, ['web never reaches db'])
  t.deepEqual(Object.keys(report), [
    'seed',
    'runs',
    'virtualSeconds',
    'agents',
    'notes',
    'pairs',
    'propagation',
    'rest',
    'expectations',
    'failed',
  ])
})

test('what cannot be saved is said, and the failure is shown all the same', async (t) => {
  const { code, out } = await simulate(t, ONE, { seconds: 10, expect: ['web never reaches db'] }, '-save', '/dev/null/x.json')
  t.is(code, 1)
  t.regex(out, /\nFAILED {2}expected: web never reaches db\n/)
  t.regex(out, / again: {2}it could not be saved: ENOTDIR/)
})

test('input that makes no sense ends with 2 and the reason', async (t) => {
  const dir = folderOf(t, THREE)
  const cases: [args: string[], why: RegExp][] = [
    [[], /^-config-dir is required\n\nUsage: tribune sim /],
    [['-config-dir', dir, 'more'], /^unexpected arguments: more\n\nUsage/],
    [['-config-dir', dir, '-runs', 'many'], /^invalid value "many" for flag -runs: parse error\nUsage:/],
    [['-config-dir', dir, '-zz'], /^flag provided but not defined: -zz\n/],
    [['-config-dir', `${dir}/none`], /^-config-dir: open .*none: no such file or directory\n$/],
    [['-config-dir', dir, '-runs', '0'], /^-runs: must be a whole number from 1 to 1000000, got 0\n$/],
    [['-config-dir', dir, '-faults', 'crash,fire'], /^-faults: unknown fault "fire"; there are\n {2}crash: /],
    [['-config-dir', dir, '-scenario', `${dir}/none.json`], /^-scenario: open .*none\.json: no such file or directory\n$/],
    [['-config-dir', dir, '-scenario', `${dir}/n1/web.hcl`], /web\.hcl: not JSON: /],
  ]
  for (const [args, why] of cases) {
    const { code, out, err } = await runCommand(['sim', ...args])
    t.is(code, 2, args.join(' '))
    t.is(out, '')
    t.regex(err, why)
  }
})

test('its help is help', async (t) => {
  const { code, out } = await runCommand(['sim', '-h'])
  t.is(code, 0)
  t.regex(out, /^Usage: tribune sim -config-dir=DIR \[options\]/)
})

test.serial('the example runs as it is, as a test of somebody else would run it', async (t) => {
  t.timeout(120_000)
  const folder = temporaryDirectory(t)
  const { code, out, err } = await runProgram(t, join(EXAMPLE, 'test.sh'), [], { env: cleanEnvironment({ TRIBUNE, TMPDIR: folder }) })
  t.regex(err, /^(\d+ of 10 runs\n)*$/, 'nothing but how far a slow machine is')
  t.is(code, 0, out)
  t.is(out.match(/\nnothing broke\n/g)?.length, 4)
})
