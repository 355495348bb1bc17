// A call's quality in a word, from the browser's statistics.

export interface Quality {
  /** good: nothing to notice. fair: may look soft. weak: it breaks up. */
  word: 'good' | 'fair' | 'weak';
  /** Whose direction is the worse one. */
  side: 'upload' | 'download';
  rttMs: number | undefined;
  up: Direction;
  down: Direction & { framesDecoded: number; audioLevel: number };
}

interface Direction {
  bitsPerSecond: number;
  /** Share of packets lost, 0 to 1. */
  loss: number;
}

interface Sums {
  at: number;
  bytes: number;
  packets: number;
  lost: number;
}

type Entry = Record<string, number | string | boolean | undefined> & { type: string };

const none: Sums = { at: 0, bytes: 0, packets: 0, lost: 0 };

/** StatsReader remembers the last reading, so that each one tells of the time between. */
export class StatsReader {
  #up = none;
  #down = none;

  read(publish: RTCStatsReport, subscribe: RTCStatsReport): Quality {
    const up: Sums = { at: 0, bytes: 0, packets: 0, lost: 0 };
    const down: Sums = { at: 0, bytes: 0, packets: 0, lost: 0 };
    let [framesDecoded, audioLevel, rttMs, limited] = [0, 0, undefined as number | undefined, false];
    const number = (value: unknown) => (typeof value === 'number' ? value : 0);
    publish.forEach((e: Entry) => {
      if (e.type === 'outbound-rtp') {
        up.at = Math.max(up.at, number(e['timestamp']));
        up.bytes += number(e['bytesSent']);
        up.packets += number(e['packetsSent']);
        limited ||= e['qualityLimitationReason'] === 'bandwidth';
      } else if (e.type === 'remote-inbound-rtp') {
        up.lost += number(e['packetsLost']);
      } else if (e.type === 'candidate-pair' && e['nominated'] && e['currentRoundTripTime'] !== undefined) {
        rttMs = Math.round(number(e['currentRoundTripTime']) * 1000);
      }
    });
    subscribe.forEach((e: Entry) => {
      if (e.type !== 'inbound-rtp') return;
      down.at = Math.max(down.at, number(e['timestamp']));
      down.bytes += number(e['bytesReceived']);
      down.packets += number(e['packetsReceived']);
      down.lost += number(e['packetsLost']);
      framesDecoded += number(e['framesDecoded']);
      audioLevel = Math.max(audioLevel, number(e['audioLevel']));
    });
    const [upNow, downNow] = [between(this.#up, up, false), between(this.#down, down, true)];
    [this.#up, this.#down] = [up, down];
    const worst = Math.max(upNow.loss, downNow.loss);
    const slow = (rttMs ?? 0) > 400;
    const word = worst > 0.08 || (rttMs ?? 0) > 800 ? 'weak' : worst > 0.02 || slow || limited ? 'fair' : 'good';
    return { word, side: limited || upNow.loss >= downNow.loss ? 'upload' : 'download', rttMs, up: upNow, down: { ...downNow, framesDecoded, audioLevel } };
  }
}

/** between compares two sums. Received packets do not count the lost ones, sent packets do. */
function between(was: Sums, now: Sums, received: boolean): Direction {
  const [ms, packets, lost] = [now.at - was.at, now.packets - was.packets, Math.max(0, now.lost - was.lost)];
  const total = received ? packets + lost : packets;
  if (was.at === 0 || ms <= 0 || packets < 0) return { bitsPerSecond: 0, loss: 0 };
  return { bitsPerSecond: Math.round(((now.bytes - was.bytes) * 8000) / ms), loss: total > 0 ? Math.min(1, lost / total) : 0 };
}
