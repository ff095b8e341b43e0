// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from 'vitest';
import type { Frame } from '../model/types';
import { Connection, type ConnectionState, type Socket, type World } from './connection';

class FakeSocket implements Socket {
  onopen: Socket['onopen'] = null;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  closed = false;
  close(): void {
    this.closed = true;
  }
  open(): void {
    this.onopen?.(undefined as never);
  }
  say(frame: Frame): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  end(): void {
    this.onclose?.({ code: 1006 });
  }
}

class FakeWorld implements World {
  sockets: FakeSocket[] = [];
  tokens: (string | undefined)[] = [];
  timers = new Map<number, { call: () => void; ms: number }>();
  needsToken = false;
  private next = 1;
  open(token: string | undefined): Socket {
    this.tokens.push(token);
    this.sockets.push(new FakeSocket());
    return this.socket;
  }
  get socket(): FakeSocket {
    return this.sockets.at(-1)!;
  }
  asksForToken(): Promise<boolean> {
    return Promise.resolve(this.needsToken);
  }
  setTimer(call: () => void, ms: number): number {
    this.timers.set(this.next, { call, ms });
    return this.next++;
  }
  clearTimer(timer: number): void {
    this.timers.delete(timer);
  }
  random(): number {
    return 1;
  }
  // The one timer that is armed.
  fire(): number {
    expect(this.timers.size).toBe(1);
    const [id, timer] = [...this.timers][0]!;
    this.timers.delete(id);
    timer.call();
    return timer.ms;
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

let world: FakeWorld;
let frames: Frame[];
let states: ConnectionState[];
let connection: Connection;
beforeEach(() => {
  world = new FakeWorld();
  frames = [];
  states = [];
  connection = new Connection(world, (f) => frames.push(f), (s) => states.push(s));
  connection.start();
});

describe('Connection', () => {
  it('is live from the first frame on', () => {
    world.socket.open();
    expect(states).toEqual([]);
    world.socket.say({ dropped: 1 });
    expect(states).toEqual(['live']);
    expect(frames).toEqual([{ dropped: 1 }]);
  });

  it('connects again when the socket ends, waiting longer each time up to a bound', async () => {
    const waits: number[] = [];
    for (let i = 0; i < 12; i += 1) {
      world.socket.end();
      await settled();
      waits.push(world.fire());
    }
    expect(waits[0]).toBe(400);
    expect(waits[1]).toBeCloseTo(680);
    expect(waits.at(-1)).toBe(8000);
    expect(world.sockets.length).toBe(13);
  });

  it('begins with short waits again after a frame', async () => {
    for (let i = 0; i < 5; i += 1) {
      world.socket.end();
      await settled();
      world.fire();
    }
    world.socket.open();
    world.socket.say({});
    world.socket.end();
    await settled();
    expect(world.fire()).toBe(400);
  });

  it('takes silence for an end', async () => {
    world.socket.open();
    world.socket.say({});
    const silent = world.socket;
    expect(world.fire()).toBe(6000);
    await settled();
    expect(silent.closed).toBe(true);
    expect(states.at(-1)).toBe('waiting');
    world.fire();
    expect(world.socket).not.toBe(silent);
    silent.end(); // late: changes nothing
    await settled();
    expect(world.timers.size).toBe(1);
  });

  it('passes over a frame that is no JSON', () => {
    world.socket.onmessage?.({ data: '{"mess' });
    expect(frames).toEqual([]);
  });

  it('asks for a token when the server does, and uses it', async () => {
    world.needsToken = true;
    world.socket.end();
    await settled();
    expect(states.at(-1)).toBe('denied');
    expect(world.timers.size).toBe(0);
    connection.useToken('hr_x');
    expect(world.tokens).toEqual([undefined, 'hr_x']);
    world.socket.open();
    world.socket.say({});
    expect(states.at(-1)).toBe('live');
  });

  it('stops for good', async () => {
    world.socket.open();
    connection.stop();
    expect(world.socket.closed).toBe(true);
    world.socket.end();
    await settled();
    expect(world.timers.size).toBe(0);
  });
});
