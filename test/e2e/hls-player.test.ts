import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { after, before, describe, it } from 'node:test'
import { type Arrived, type BrowserGateway, startBrowserGateway } from '../support/browser-gateway.ts'
import { appPassword, ticketBy } from '../support/issuer/app-password.ts'
import { type StartedChromium, startChromium } from '../support/programs/chromium.ts'

const PLAYER = createRequire(import.meta.url).resolve('hls.js/dist/hls.light.min.js')

/** A film of two seconds as Chromium records it: base64 of fragmented MP4. */
const RECORD = `(async () => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 64 })
  const pen = canvas.getContext('2d')
  const draw = setInterval(() => {
    pen.fillStyle = 'hsl(' + (Date.now() % 360) + ' 80% 50%)'
    pen.fillRect(0, 0, 64, 64)
  }, 40)
  const kinds = ['video/mp4;codecs=vp09.00.10.08', 'video/mp4;codecs=avc1.42E01E', 'video/mp4;codecs=av01.0.00M.08']
  const mimeType = kinds.find((kind) => MediaRecorder.isTypeSupported(kind) && MediaSource.isTypeSupported(kind))
  const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType })
  const parts = []
  recorder.ondataavailable = ({ data }) => parts.push(data)
  recorder.start(500)
  await new Promise((resolve) => setTimeout(resolve, 2500))
  recorder.stop()
  await new Promise((resolve) => { recorder.onstop = resolve })
  clearInterval(draw)
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer())
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
})()`

const PAGE = `<!doctype html><title>player</title><video muted></video><script src="hls.js"></script><script>
const video = document.querySelector('video')
const hls = new Hls({ enableWorker: false })
hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) document.title = data.type + ' ' + data.details })
hls.loadSource('list.m3u8')
hls.attachMedia(video)
video.ontimeupdate = () => { if (video.currentTime > 0.5) document.title = 'playing' }
hls.on(Hls.Events.MANIFEST_PARSED, () => video.play())
</script>`

/** What comes before the first fragment, and the fragments (ISO/IEC 14496-12 §8.8). */
function fragmentsOf(film: Buffer): readonly [Buffer, ...Buffer[]] {
  const starts: number[] = []
  for (let at = 0; at + 8 <= film.length; at += Math.max(8, film.readUInt32BE(at)))
    if (film.toString('latin1', at + 4, at + 8) === 'moof') starts.push(at)
  const [first = film.length] = starts
  return [film.subarray(0, first), ...starts.map((start, i) => film.subarray(start, starts[i + 1]))]
}

describe('a film by ticket', () => {
  const files = new Map<string, readonly [type: string, body: string | Buffer]>()
  let box: BrowserGateway
  let chromium: StartedChromium

  before(async () => {
    const answer = ({ url }: Arrived) => {
      const [type, body] = files.get(url.split('?')[0] ?? '') ?? []
      return type === undefined ? { status: 404 } : { headers: { 'content-type': type }, body: body ?? '' }
    }
    box = await startBrowserGateway({ answer })
    chromium = await startChromium()
  })
  after(async () => {
    await chromium.close()
    await box.close()
  })

  it('An HLS playlist with relative segments plays through the folder form', { timeout: 90_000 }, async () => {
    const page = await chromium.context.newPage()
    const [start, ...segments] = fragmentsOf(Buffer.from(await page.evaluate<string>(RECORD), 'base64'))
    assert.ok(segments.length > 1, 'several segments')
    files.set('/film/index.html', ['text/html', PAGE])
    files.set('/film/hls.js', ['text/javascript', readFileSync(PLAYER)])
    files.set('/film/part/start.mp4', ['video/mp4', start])
    for (const [i, segment] of segments.entries()) files.set(`/film/part/${i}.m4s`, ['video/mp4', segment])
    const head = ['#EXTM3U', '#EXT-X-VERSION:7', '#EXT-X-TARGETDURATION:3', '#EXT-X-MAP:URI="part/start.mp4"']
    const list = segments.flatMap((_, i) => ['#EXTINF:0.5,', `part/${i}.m4s`])
    files.set('/film/list.m3u8', ['application/vnd.apple.mpegurl', [...head, ...list, '#EXT-X-ENDLIST', ''].join('\n')])

    const { password } = await appPassword(box, 'photos', ['photos:read'])
    const { url } = await ticketBy(box, { folder: '/film/' }, password)
    await page.goto(`${url}index.html`)
    await page.waitForFunction(`document.title !== 'player'`)
    assert.equal(await page.title(), 'playing')
    // Nothing but the ticket opened it, and nothing behind has seen that.
    assert.deepEqual(await chromium.context.cookies(box.photos), [])
    assert.ok(box.arrived.some(({ url: seen }) => seen === '/film/part/0.m4s'))
    assert.ok(!JSON.stringify(box.arrived).includes('/.audgate/t/'))
  })
})
