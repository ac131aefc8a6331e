// Writes an image to devices and verifies it, as balenaEtcher does, and prints
// what that took as JSON. usage: node write.mjs IMAGE BYTES DEVICE...
// BYTES is the size of a device, which the library wants to be told.
import etcher from 'etcher-sdk'

const { sourceDestination, multiWrite } = etcher
const [image, bytes, ...devices] = process.argv.slice(2)
const destinations = devices.map((path) => new sourceDestination.BlockDevice({
  drive: {
    device: path, raw: path, devicePath: null, description: path, size: Number(bytes), blockSize: 512,
    mountpoints: [], isReadOnly: false, isSystem: false,
  },
  write: true,
  direct: true,
}))

const begun = performance.now()
let written = 0 // milliseconds until the last progress of writing
const result = await multiWrite.pipeSourceToDestinations({
  source: new sourceDestination.File({ path: image }),
  destinations,
  verify: true,
  onFail: (destination, error) => console.error(destination.path, error),
  onProgress: (p) => { if (p.type === 'flashing') written = performance.now() - begun },
})
if (result.failures.size > 0) process.exit(1)
console.log(JSON.stringify({
  written_ms: Math.round(written),
  done_ms: Math.round(performance.now() - begun),
  peak_bytes: process.resourceUsage().maxRSS * 1024,
}))
