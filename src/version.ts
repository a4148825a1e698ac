/** This program's own version, as in package.json. */
export const VERSION = '0.1.0'
/** The version of Consul whose interfaces it speaks, as clients see it. */
export const COMPATIBLE_VERSION = '1.10.12'
