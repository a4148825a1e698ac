import test from 'ava'
import { definitionsFor } from '../src/definitions.ts'
import { placement, type Role } from '../src/placement.ts'

const ROLES: readonly Role[] = ['main', 'state', 'edge', 'mesh', 'gossip']

for (const role of ROLES) {
  test(`a thread that is for ${role} knows all actors that live there`, async (t) => {
    const known = new Set((await definitionsFor([role])).map(({ name }) => name))
    const living = Object.entries(placement).flatMap(([actor, place]) => (place.role === role ? [actor] : []))
    t.deepEqual(
      living.filter((actor) => !known.has(actor)),
      [],
    )
    if (role !== 'state') t.is(known.size, living.length)
  })
}

test('a thread with several roles knows each actor once', async (t) => {
  for (const roles of [ROLES, ['edge', 'mesh'], ['main', 'gossip']] as const) {
    const names = (await definitionsFor(roles)).map(({ name }) => name)
    t.is(new Set(names).size, names.length)
  }
})
