// SPDX-License-Identifier: Apache-2.0
// The peer of the benchmark: a Node `ws` server that parses each frame and counts its messages in memory. It stores nothing.
// It says hello and acknowledges as our protocol does (once per connection and turn of the event loop), so that the same load
// generator drives both.
import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2] ?? 0), perMessageDeflate: false });
let counted = 0;

server.on('connection', (socket) => {
  let last = 0;
  let scheduled = false;
  const acknowledge = () => {
    scheduled = false;
    socket.send(`{"type":"ack","sequence":${last}}`);
  };
  socket.on('message', (data) => {
    const value = JSON.parse(data);
    if (value.seq === undefined) {
      socket.send('{"type":"welcome","version":1,"last_sequence":0}');
      return;
    }
    const count = value.messages === undefined ? 1 : value.messages.length;
    counted += count;
    last = value.seq + count - 1;
    if (!scheduled) {
      scheduled = true;
      setImmediate(acknowledge);
    }
  });
});
server.on('listening', () => console.log(JSON.stringify({ port: server.address().port, pid: process.pid })));
process.on('SIGTERM', () => {
  console.log(JSON.stringify({ counted }));
  process.exit(0);
});
