// SPDX-License-Identifier: Apache-2.0
// Connection: the live feed's WebSocket, made again whenever it ends or falls silent. Sockets and timers are passed in, so that
// tests hold them.
import type { Frame } from '../model/types';

export type ConnectionState = 'connecting' | 'live' | 'waiting' | 'denied';

export interface Socket {
  onopen: ((event: never) => unknown) | null;
  onmessage: ((event: { data: unknown }) => unknown) | null;
  onclose: ((event: { code: number }) => unknown) | null;
  close(): void;
}

export interface World {
  open(token: string | undefined): Socket;
  // Why a connection could not be made, as far as HTTP tells: true when credentials are asked for.
  asksForToken(token: string | undefined): Promise<boolean>;
  setTimer(call: () => void, ms: number): number;
  clearTimer(timer: number): void;
  random(): number;
}

const silenceMax = 6000; // the server says its status once a second
const delayMin = 400;
const delayMax = 8000;

export class Connection {
  state: ConnectionState = 'connecting';
  private socket: Socket | undefined;
  private timer: number | undefined;
  private delay = delayMin;

  constructor(
    private readonly world: World,
    private readonly onFrame: (frame: Frame) => void,
    private readonly onState: (state: ConnectionState) => void,
    private token?: string,
  ) {}

  start(): void {
    this.become('connecting');
    const socket = this.world.open(this.token);
    this.socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.arm();
    };
    socket.onmessage = (event) => this.onText(event.data);
    socket.onclose = () => {
      if (this.socket === socket) void this.onClosed(opened);
    };
    this.arm();
  }

  useToken(token: string): void {
    this.token = token;
    this.drop();
    this.delay = delayMin;
    this.start();
  }

  stop(): void {
    this.drop();
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = undefined;
    if (this.timer !== undefined) this.world.clearTimer(this.timer);
    this.timer = undefined;
    socket?.close();
  }

  private onText(data: unknown): void {
    let frame: Frame;
    try {
      frame = JSON.parse(String(data)) as Frame;
    } catch {
      return; // a frame that is cut short is followed by the socket's end
    }
    this.arm();
    this.delay = delayMin;
    this.become('live');
    this.onFrame(frame);
  }

  private async onClosed(opened: boolean): Promise<void> {
    this.drop();
    const denied = !opened && (await this.world.asksForToken(this.token));
    if (this.socket !== undefined) return; // started anew meanwhile
    if (denied) {
      this.become('denied');
      return;
    }
    this.become('waiting');
    const wait = this.delay * (0.5 + this.world.random() / 2);
    this.delay = Math.min(delayMax, this.delay * 1.7);
    this.timer = this.world.setTimer(() => this.start(), wait);
  }

  // Silence is an end too: a server that hangs, a network that is gone.
  private arm(): void {
    if (this.timer !== undefined) this.world.clearTimer(this.timer);
    this.timer = this.world.setTimer(() => void this.onClosed(true), silenceMax);
  }

  private become(state: ConnectionState): void {
    if (this.state === state) return;
    this.state = state;
    this.onState(state);
  }
}
