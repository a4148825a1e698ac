import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { CERTIFICATE_LABEL, readCertificatePem, signCertificate } from '../../../net/pki/certificate.ts'
import { bits, encode, encoded, implicit, octets, oid, type Part, sequence, yes } from '../../../net/pki/encode.ts'
import { EXTENSION, sameExtension } from '../../../net/pki/extensions.ts'
import { readPrivateKey } from '../../../net/pki/keys.ts'
import { nameOf } from '../../../net/pki/names.ts'
import { pemOf } from '../../../net/pki/pem.ts'
import { assert, isRefused, type Result } from '../../../src/kernel/refusal.ts'
import { type Material, serviceId } from './kit.ts'

export type Forgery = {
  /** All alternative names; the SPIFFE id of web unless given. */
  names?: Part[]
  isCa?: boolean
  serial?: bigint
  key?: { privateKey: KeyObject; publicKey: KeyObject }
}

/** A subject's alternative name that is a URI, of any bytes. */
export function uriName(uri: string): Part {
  return implicit(6, Buffer.from(uri, 'latin1'))
}

export function dnsName(name: string): Part {
  return implicit(2, Buffer.from(name, 'latin1'))
}

/** A certificate for client and server, valid now, that this mesh's own authority would never write. Its serial number is 0f:09 unless given. */
export function forge(by: Pick<Material, 'certPem' | 'keyPem'>, forgery: Forgery = {}): Material {
  const {
    names = [uriName(serviceId('web'))],
    isCa = false,
    serial = 0xf09n,
    key = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
  } = forgery
  const usage = isCa ? bits(Buffer.of(0x86), 1) : bits(Buffer.of(0xb8), 3)
  const issuer = granted(readCertificatePem(by.certPem, 'the issuer')).subject.whole
  const nowMs = Date.now()
  const der = signCertificate(
    {
      serial,
      issuer: encoded(issuer),
      notBeforeMs: nowMs - 60_000,
      notAfterMs: nowMs + 3_600_000,
      subject: nameOf('forged'),
      spki: encoded(key.publicKey.export({ type: 'spki', format: 'der' })),
      extensions: [
        extension(EXTENSION.alternativeName, sequence(names)),
        extension(EXTENSION.keyUsage, usage),
        extension(EXTENSION.extendedKeyUsage, sequence([oid('1.3.6.1.5.5.7.3.1'), oid('1.3.6.1.5.5.7.3.2')])),
        extension(EXTENSION.basicConstraints, sequence(isCa ? [yes()] : [])),
        extension(EXTENSION.subjectKeyId, octets(Buffer.from('forged'))),
      ],
    },
    granted(readPrivateKey(by.keyPem, 'the key of the issuer')),
  )
  const keyPem = key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { certPem: pemOf(CERTIFICATE_LABEL, der), keyPem, rootsPem: [by.certPem] }
}

function extension(dotted: string, value: Part): Part {
  return sameExtension(dotted, { critical: false, value: encode(value) })
}

function granted<Value>(result: Result<Value>): Value {
  assert(!isRefused(result), `what a forger needs is there: ${JSON.stringify(result)}`)
  return result
}
