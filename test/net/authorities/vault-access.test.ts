import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { granted, refused } from '../../kit/asking.ts'
import { uriOf } from '../../kit/authority.ts'
import { selfSigned } from '../../kit/self-signed.ts'
import { temporaryDirectory } from '../../kit/temporary-directory.ts'
import { askHasty, check, configFor, prepare, sign, vaultFor } from '../../kit/try-vault.ts'
import { meshPolicy } from '../../kit/vault.ts'

const HOUR_MS = 3_600_000

test('a configuration is checked before Vault is asked', async (t) => {
  const vault = await vaultFor(t)
  const why = async (more: Record<string, unknown>) => refused(await prepare(configFor(vault, more))).why
  t.is(await why({ Address: '' }), 'Address: must be the URL of a Vault server, such as https://vault.example.com:8200')
  t.is(await why({ Address: 'vault:8200' }), 'Address: must be an http or https URL, got "vault:8200"')
  t.is(await why({ Address: 'http://me:secret@vault' }), 'Address: must not have a user or a password in it')
  t.is(await why({ Address: 'http://vault?a=1' }), 'Address: must not have a query or a fragment, got "http://vault?a=1"')
  t.is(await why({ Token: '' }), 'Token: must provide a Vault token')
  t.is(await why({ Namespace: `${'/'.repeat(5_000)}a` }), 'Namespace: must have at most 4096 characters, has 5001')
  t.is(await why({ Token: 7 }), 'Token: must be a text')
  t.is(await why({ Token: 'a\nb' }), 'Token: must be printable ASCII without spaces')
  t.is(await why({ Namespace: 'a b' }), 'Namespace: must be printable ASCII without spaces')
  t.is(await why({ RootPKIPath: '/' }), 'RootPKIPath: must provide a valid path to a root PKI backend')
  t.is(await why({ IntermediatePKIPath: 'a/../b' }), 'IntermediatePKIPath: must provide a valid path for the intermediate PKI backend')
  t.is(
    await why({ IntermediatePKIPath: 'connect-root' }),
    'IntermediatePKIPath: must be another path than RootPKIPath, both are "connect-root"',
  )
  t.is(await why({ TLSSkipVerify: 'yes' }), 'TLSSkipVerify: must be true or false, got "yes"')
  t.is(await why({ CertFile: '/x' }), 'KeyFile: must be given with CertFile')
  t.is(await why({ KeyFile: '/x' }), 'CertFile: must be given with KeyFile')
  t.is(await why({ CAFile: '/nowhere' }), "CAFile: ENOENT: no such file or directory, open '/nowhere'")
  t.is(await why({ CAPath: '/nowhere' }), "CAPath: ENOENT: no such file or directory, scandir '/nowhere'")
  t.is(await why({ IntermediateCertTTL: 'soon' }), 'IntermediateCertTTL: time: invalid duration "soon"')
  t.is(await why({ PrivateKeyType: 'dsa' }), "private key type must be either 'ec' or 'rsa'")
  t.deepEqual(vault.asked, [])
})

test('a token that Vault refuses, and one that may not do what is needed, are found before anything is made', async (t) => {
  const vault = await vaultFor(t)
  const unknown = refused(await prepare(configFor(vault, { Token: 'hvs.unknown' })))
  t.deepEqual(unknown, { refused: 'forbidden', why: 'Token: Vault refuses it: permission denied; invalid token' })
  const policy = meshPolicy('connect-root', 'connect-intermediate')
  for (const [path, needs] of [
    ['sys/mounts/connect-root', 'update'],
    ['connect-root/root/generate/internal', 'update'],
    ['connect-root/root/sign-intermediate', 'update'],
    ['connect-intermediate/*', 'update'],
  ] as const) {
    const { [path]: _left, ...rest } = policy
    const Token = vault.newToken({ ttlMs: 0, renewable: false, policy: rest })
    const shown = path.replace('*', 'intermediate/generate/internal')
    const { refused: code, why } = refused(await prepare(configFor(vault, { Token })))
    t.deepEqual([code, why], ['forbidden', `Token: its policies do not allow "${needs}" on "${shown}"`])
  }
  t.is(vault.engines.size, 0)
  const { 'connect-root/root/sign-self-issued': _sudo, ...plain } = policy
  const Token = vault.newToken({ ttlMs: 0, renewable: false, policy: plain })
  t.false(granted(await prepare(configFor(vault, { Token }))).crossSigns)
  t.true(granted(await prepare(configFor(vault, { Token: vault.newToken({ ttlMs: 0, renewable: false, policy }) }))).crossSigns)
})

test('a token is renewed while it can be, and it is said when it cannot', async (t) => {
  const vault = await vaultFor(t)
  const Token = vault.newToken({ ttlMs: HOUR_MS, renewable: true, maxTtlMs: 3 * HOUR_MS })
  const config = configFor(vault, { Token })
  const { state } = granted(await prepare(config))
  t.false(vault.asked.includes('POST auth/token/renew-self'))
  vault.advance(0.5 * HOUR_MS)
  const renewed = granted(await check(config, state))
  t.is(renewed.warning, undefined)
  t.like(renewed.facts, { tokenRenewable: true })
  t.true(renewed.againMs! <= HOUR_MS / 3)
  t.true(vault.asked.includes('POST auth/token/renew-self'))
  vault.advance(0.9 * HOUR_MS)
  granted(await check(config, state))
  vault.advance(0.9 * HOUR_MS)
  granted(await check(config, state))
  vault.advance(0.5 * HOUR_MS)
  const { warning = '' } = granted(await check(config, state))
  t.regex(warning, /^Token: ends in 1\dm\d+s, TTL exceeded the effective max_ttl; TTL value is capped accordingly; configure another one$/)

  const fixed = vault.newToken({ ttlMs: HOUR_MS, renewable: false })
  t.is(granted(await check({ ...config, Token: fixed }, state)).warning, undefined)
  vault.advance(0.8 * HOUR_MS)
  t.regex(granted(await check({ ...config, Token: fixed }, state)).warning ?? '', /^Token: ends in 1\dm\d+s, it is not renewable/)
  vault.advance(0.19 * HOUR_MS)
  t.is(granted(await check({ ...config, Token: fixed }, state)).againMs, 60_000)
  vault.advance(HOUR_MS)
  t.is(refused(await check({ ...config, Token: fixed }, state)).refused, 'forbidden')
})

test('a Vault that is sealed, busy or loses connections is asked again; one that stays so is said to be', async (t) => {
  const vault = await vaultFor(t)
  const config = configFor(vault)
  const { state } = granted(await prepare(config))
  for (const status of [500, 502, 503, 429, 412]) {
    Object.assign(vault.trouble, { status, statuses: 2 })
    granted(await sign(config, state))
  }
  vault.trouble.drops = 2
  granted(await sign(config, state))
  vault.trouble.sealed = true
  t.deepEqual(refused(await sign(config, state, uriOf('web'), askHasty)), {
    refused: 'busy',
    why: 'IntermediatePKIPath: Vault did not sign the leaf: Vault is sealed',
  })
  Object.assign(vault.trouble, { sealed: false, status: 400, statuses: 1 })
  t.is(refused(await sign(config, state)).why, 'IntermediatePKIPath: Vault did not sign the leaf: told to say 400')
})

test('what makes something is not done twice when nobody knows whether it was done', async (t) => {
  const vault = await vaultFor(t, { keepsIssuers: true })
  const config = configFor(vault)
  granted(await prepare(configFor(vault, { RootPKIPath: 'warm', IntermediatePKIPath: 'up' })))
  const policy = meshPolicy('connect-root', 'connect-intermediate')
  t.is(Object.keys(policy).length, 8)
  for (let tries = 0; tries < 12; tries++) {
    // The connection ends after the third, fourth, … request of a try.
    const asked = vault.asked.length
    const watching = setInterval(() => {
      if (vault.asked.length >= asked + 3 + tries) vault.trouble.drops = 1
    }, 0)
    const outcome = await prepare(config)
    clearInterval(watching)
    vault.trouble.drops = 0
    if (!('refused' in outcome)) continue
    t.is(outcome.refused, 'busy')
    t.regex(outcome.why, /^Address: 127\.0\.0\.1:\d+ cannot be reached: /)
  }
  granted(await prepare(config))
  t.is(vault.asked.filter((line) => line === 'POST connect-root/root/generate/internal').length, 1)
  t.is(vault.engines.get('connect-root')?.issuers.size, 1)
})

test('a Vault that does not answer, and one that is not there, are said to be so', async (t) => {
  const vault = await vaultFor(t)
  const config = configFor(vault)
  const { state } = granted(await prepare(config))
  vault.trouble.hangs = true
  const late = refused(await sign(config, state, uriOf('web'), askHasty))
  t.is(late.refused, 'late')
  t.regex(late.why, /^Address: no answer from 127\.0\.0\.1:\d+ within \d+ ms$/)
  vault.close()
  const { refused: code, why } = refused(await sign(config, state, uriOf('web'), askHasty))
  t.is(code, 'busy')
  t.regex(why, /^Address: 127\.0\.0\.1:\d+ cannot be reached: connect ECONNREFUSED/)
})

test('a server on standby names the active one; the token goes nowhere else', async (t) => {
  const [active, standby] = [await vaultFor(t), await vaultFor(t)]
  standby.trouble.redirectsTo = active.address
  const config = { ...configFor(active), Address: standby.address }
  const { state } = granted(await prepare(config))
  granted(await sign(config, state))
  standby.trouble.redirectsTo = 'ftp://elsewhere'
  t.regex(refused(await sign(config, state)).why, /^Address: Vault redirects to "ftp:\/\/elsewhere\/v1\/.*", where no token is sent$/)
})

test('TLS: the CA, the name and a certificate of our own', async (t) => {
  const own = selfSigned()
  const client = selfSigned()
  const vault = await vaultFor(t, { tls: { ...own, ca: client.cert } })
  const folder = temporaryDirectory(t)
  const file = (name: string, text: string) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  const files = { CertFile: file('cert.pem', client.cert), KeyFile: file('key.pem', client.key) }
  const CAFile = file('ca.pem', own.cert)
  granted(await prepare(configFor(vault, { ...files, CAFile })))
  granted(await prepare(configFor(vault, { ...files, CAPath: folder, TLSServerName: 'localhost' })))
  granted(await prepare(configFor(vault, { ...files, TLSSkipVerify: true })))
  const why = async (more: Record<string, unknown>) => refused(await prepare(configFor(vault, more), { by: askHasty }))
  t.like(await why(files), { refused: 'invalid' })
  t.regex((await why(files)).why, /^Address: the certificate of 127\.0\.0\.1:\d+ is not trusted \(CAFile, CAPath, TLSServerName\): /)
  t.regex((await why({ ...files, CAFile, TLSServerName: 'vault' })).why, /is not trusted .*Hostname\/IP does not match/)
  t.regex((await why({ CAFile })).why, /^Address: 127\.0\.0\.1:\d+ cannot be reached: /)
  t.regex((await why({ ...files, KeyFile: file('other.pem', own.key) })).why, /^KeyFile: does not fit CertFile/)
  t.is((await why({ ...files, CAFile: file('empty.pem', 'x') })).why, `CAFile: nothing in PEM in ${join(folder, 'empty.pem')}`)
})

test('a namespace goes along with every request', async (t) => {
  const vault = await vaultFor(t, { namespace: 'team/mesh' })
  const { state } = granted(await prepare(configFor(vault, { Namespace: 'team/mesh/' })))
  granted(await sign(configFor(vault, { Namespace: 'team/mesh' }), state))
  t.is(refused(await prepare(configFor(vault))).refused, 'forbidden')
})

test('no text has the token in it', async (t) => {
  const vault = await vaultFor(t)
  const Token = vault.newToken({ ttlMs: 0, renewable: false, policy: {} })
  const { why } = refused(await prepare(configFor(vault, { Token, RootPKIPath: 'a' })))
  t.false(why.includes(Token))
  vault.trouble.redirectsTo = `ftp://${Token}`
  const redirected = refused(await prepare(configFor(vault, { Token }))).why
  t.regex(redirected, /ftp:\/\/<token>/)
})
