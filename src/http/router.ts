import type { Route } from './route.ts'

/** All endpoints at one path, by method. */
type Place = { methods: Map<string, Route>; allow: string }

export type Found = { route: Route; rest: string } | { allow: string; optionsOnly: boolean } | undefined

/** Finds the endpoint for a method and a path: an equal path before the longest prefix. */
export function createRouter(routes: readonly Route[]): (method: string, path: string) => Found {
  const exact = new Map<string, Place>()
  const prefixes = new Map<string, Place>()
  for (const route of routes) {
    const star = route.path.indexOf('*')
    const places = star < 0 ? exact : prefixes
    const path = star < 0 ? route.path : route.path.slice(0, star)
    const place = places.get(path) ?? { methods: new Map(), allow: '' }
    if (place.methods.has(route.method)) throw new Error(`broken promise: one endpoint for ${route.method} ${route.path}`)
    place.methods.set(route.method, route)
    place.allow = ['OPTIONS', ...place.methods.keys()].join(',')
    places.set(path, place)
  }
  return (method, path) => {
    const found = findPlace(exact, prefixes, path)
    if (!found) return undefined
    const route = found.place.methods.get(method)
    return route ? { route, rest: found.rest } : { allow: found.place.allow, optionsOnly: method === 'OPTIONS' }
  }
}

function findPlace(exact: Map<string, Place>, prefixes: Map<string, Place>, path: string): { place: Place; rest: string } | undefined {
  const equal = exact.get(path)
  if (equal) return { place: equal, rest: '' }
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
    const place = prefixes.get(path.slice(0, at + 1))
    if (place) return { place, rest: path.slice(at + 1) }
  }
  return undefined
}
