/** The ASN.1 part of node-forge alone: loading the whole of it takes six times as long. */
declare module 'node-forge/lib/asn1.js' {
  import { asn1 } from 'node-forge'

  export default asn1
}
