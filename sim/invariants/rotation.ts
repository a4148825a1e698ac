import { handshakesOf } from '../handshakes.ts'
import { rotationsOf } from '../rotations.ts'
import type { Invariant } from './invariant.ts'

export const oneRootSigns: Invariant = {
  name: 'one-root-signs',
  sentence: 'on every agent exactly one of the trusted roots signs',
  when: 'always',
  broken(run) {
    const rotations = rotationsOf(run)
    rotations.look()
    return rotations.signing
  },
}

export const rootsStayWhileNeeded: Invariant = {
  name: 'roots-stay-while-needed',
  sentence: 'a root is trusted until no sidecar shows a certificate of it and the last one that it signed has ended',
  when: 'always',
  broken: (run) => rotationsOf(run).needed,
}

export const numbersAreUnique: Invariant = {
  name: 'numbers-are-unique',
  sentence: 'no two certificates of one authority have the same serial number',
  when: 'always',
  broken: (run) => rotationsOf(run).twice,
}

export const sidecarsAreBelieved: Invariant = {
  name: 'sidecars-are-believed',
  sentence: 'no handshake between two sidecars fails because of a certificate, whatever becomes of the root',
  when: 'always',
  marks: [
    { name: 'handshake between two roots', kind: 'ca.rotate', events: 6, chance: 0.05 },
    { name: 'root changed, while some are cut off', kind: 'partition', events: 2, chance: 0.03 },
    { name: 'every sidecar has the new root, while some are cut off', kind: 'partition', events: 2, chance: 0.01 },
  ],
  broken: (run) => handshakesOf(run).unbelieved,
}

export const leavesAreTheirOwn: Invariant = {
  name: 'leaves-are-their-own',
  sentence: 'every sidecar shows the certificate of its own service',
  when: 'always',
  broken: (run) => handshakesOf(run).foreign,
}
