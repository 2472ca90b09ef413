/** Takes uploads of any size and answers 204 when the last byte has come. The port is the one argument. */
import { createServer } from 'node:http'

createServer((request, response) => {
  request.resume()
  request.once('end', () => response.writeHead(204).end())
}).listen(Number(process.argv[2]), '127.0.0.1')
