// The Bluesky dev network on loopback (accounts and their repositories), and its firehose told as Jetstream tells it.
// `node bluesky.mjs` in a folder with @atproto/dev-env; orders come as JSON lines on stdin, answers go to stdout.
import net from 'node:net'
import { createRequire } from 'node:module'
import readline from 'node:readline'
import { pathToFileURL } from 'node:url'

const loopback = net.Server.prototype.listen
net.Server.prototype.listen = function (...args) {
  if (typeof args[0] === 'number') return loopback.call(this, args[0], '127.0.0.1', ...args.filter((one) => typeof one === 'function'))
  if (args[0]?.port !== undefined) return loopback.call(this, { ...args[0], host: '127.0.0.1' }, ...args.slice(1))
  return loopback.apply(this, args)
}

const require = createRequire(process.cwd() + '/package.json')
const load = (name) => import(pathToFileURL(require.resolve(name)))
const { TestNetworkNoAppView } = await load('@atproto/dev-env')
const { Firehose } = await load('@atproto/sync')
const { WebSocketServer } = (await load('ws')).default

const network = await TestNetworkNoAppView.create({})
const told = []
const ears = new Set()
let newest = 0

function tell(event) {
  if (event.collection !== 'app.bsky.feed.post') return
  newest = Math.max(newest + 1, Date.now() * 1000)
  const record = event.record ? { record: event.record } : {}
  const commit = { operation: event.event, collection: event.collection, rkey: event.rkey, ...record }
  told.push([newest, JSON.stringify({ did: event.did, time_us: newest, kind: 'commit', commit })])
  for (const ear of ears) ear.send(told.at(-1)[1])
}

const firehose = new Firehose({
  service: network.pds.url.replace('http', 'ws'),
  unauthenticatedCommits: true,
  unauthenticatedHandles: true,
  excludeIdentity: true,
  excludeAccount: true,
  filterCollections: ['app.bsky.feed.post'],
  handleEvent: tell,
  onError: (error) => console.error(String(error), String(error.err ?? error.cause ?? '')),
})
firehose.start()

const server = new WebSocketServer({ port: 0 })
server.on('connection', (socket, request) => {
  const cursor = new URL(request.url, 'http://x').searchParams.get('cursor')
  if (cursor) for (const [at, line] of told) if (at >= Number(cursor)) socket.send(line)
  ears.add(socket)
  socket.on('close', () => ears.delete(socket))
})
await new Promise((done) => (server.address() ? done() : server.on('listening', done)))

const agent = network.pds.getAgent()
await agent.createAccount({ handle: 'ada.test', email: 'ada@example.test', password: 'no-secret-at-all' })
const repo = agent.session.did
const records = agent.com.atproto.repo

async function obey({ order, text, rkey }) {
  const collection = 'app.bsky.feed.post'
  const record = { $type: collection, text, langs: ['uk'], createdAt: new Date().toISOString() }
  if (order === 'post') return (await records.createRecord({ repo, collection, record })).data
  if (order === 'edit') return (await records.putRecord({ repo, collection, rkey, record })).data
  await records.deleteRecord({ repo, collection, rkey })
  return {}
}

console.log(JSON.stringify({ port: server.address().port, did: repo }))
for await (const line of readline.createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await obey(JSON.parse(line))))
}
process.exit(0)
