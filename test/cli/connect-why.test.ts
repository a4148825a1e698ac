import test from 'ava'
import { runCommand, tryCommand } from './kit.ts'

const URL = 'GET /v1/tribune/connect/why'
const CATALOG = { Name: 'catalog', State: 'ok', Seen: 'both are there' }
const DENIED = {
  Name: 'intention',
  State: 'broken',
  Seen: 'default/web => default/db (Precedence: 9, Action: DENY) decides',
  Advice: 'if it is to be allowed: tribune intention create -replace -allow web db',
}
const UNKNOWN = { Name: 'application', State: 'unknown', Seen: 'on its own node only' }

test('connect why names the first broken link first, with what to do', async (t) => {
  const answer = { Source: 'web', Destination: 'db', Works: false, Broken: 'intention', Steps: [CATALOG, DENIED, UNKNOWN] }
  const { code, out, seen } = await tryCommand(['connect', 'why', 'web', 'db'], { [URL]: { json: answer } })
  t.is(code, 1)
  t.deepEqual(seen, ['GET /v1/tribune/connect/why?destination=db&source=web'])
  t.is(
    out,
    `web => db: intention: default/web => default/db (Precedence: 9, Action: DENY) decides
Suggestion: if it is to be allowed: tribune intention create -replace -allow web db

ok       catalog      both are there
broken   intention    default/web => default/db (Precedence: 9, Action: DENY) decides
unknown  application  on its own node only
`,
  )
  const json = await tryCommand(['connect', 'why', '-format=json', 'web', 'db'], { [URL]: { json: answer } })
  t.is(json.code, 1)
  t.deepEqual(JSON.parse(json.out), answer)
})

test('connect why ends with 0 where nothing is broken, and says what it could not see', async (t) => {
  const answer = { Source: 'web', Destination: 'db', Works: true, Broken: '', Steps: [CATALOG, UNKNOWN] }
  const { code, out } = await tryCommand(['connect', 'why', 'web', 'db'], { [URL]: { json: answer } })
  t.is(code, 0)
  t.regex(out, /^web => db: nothing is broken as far as it can be seen from here \(unknown: application\)\n\nok /)
  const all = await tryCommand(['connect', 'why', 'web', 'db'], { [URL]: { json: { ...answer, Steps: [CATALOG] } } })
  t.regex(all.out, /^web => db: nothing is broken\n/)
})

test('connect why says what is wrong with its arguments and what the agent refuses', async (t) => {
  t.regex((await runCommand(['connect', 'why', 'web'])).err, /^Error: Must specify two arguments: source and destination\n/)
  t.is((await runCommand(['connect', 'why', '-format=xml', 'a', 'b'])).code, 1)
  const refused = await tryCommand(['connect', 'why', 'a', 'b'], { [URL]: { status: 403, text: 'Permission denied' } })
  t.deepEqual([refused.code, refused.err], [1, 'Error looking at the connection: Unexpected response code: 403 (Permission denied)\n'])
})
