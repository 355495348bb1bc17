// A call's quality in a word and a reason, from the browser's statistics.

export type Word = 'good' | 'fair' | 'weak';

export interface Quality {
  /** good: nothing to notice. fair: may look soft. weak: it breaks up. */
  word: Word;
  /** Whose direction is the worse one. */
  side: 'upload' | 'download';
  /** What keeps it from being good: packets get lost, take too long, or do not fit. */
  why: 'loss' | 'delay' | 'bandwidth' | undefined;
  /** Our picture is not sent any more because there is no room for it beside the sound. */
  paused: boolean;
  rttMs: number | undefined;
  up: Direction;
  down: Direction & { framesDecoded: number; audioLevel: number };
  /** Pictures decoded so far, by the id of the received track. */
  frames: ReadonlyMap<string, number>;
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

const narrowAfter = 3; // readings: at the beginning every browser feels its way up

const plenty = 1_000_000; // bits per second: room for a good picture and its sound

/** selected is the path that packets take; a browser may have nominated others before it. */
function selected(report: RTCStatsReport): Entry | undefined {
  let [path, id] = [undefined as Entry | undefined, undefined as unknown];
  report.forEach((e: Entry) => {
    if (e.type === 'transport') id ??= e['selectedCandidatePairId'];
  });
  report.forEach((e: Entry, key: string) => {
    if (e.type === 'candidate-pair' && (id === undefined ? e['nominated'] : key === id)) path = e;
  });
  return path;
}

const none: Sums = { at: 0, bytes: 0, packets: 0, lost: 0 };
const number = (value: unknown) => (typeof value === 'number' ? value : 0);

const rank: Readonly<Record<Word, number>> = { good: 0, fair: 1, weak: 2 };
const worseAfter = 2;
const betterAfter = 4;
const otherAfter = 3;

/**
 * Steady keeps a word on the screen from flickering: it gets worse after 2
 * readings in a row, better after 4, and changes its reason after 3. Of a
 * stretch that is better it takes the worst.
 */
export class Steady {
  #shown: Quality | undefined;
  #streak: Quality[] = [];

  /** read takes one reading and gives what to show. */
  read(now: Quality): Quality {
    const shown = this.#shown;
    if (!shown) return (this.#shown = now);
    const way = (q: Quality) => Math.sign(rank[q.word] - rank[shown.word]) || (reason(q) === reason(shown) ? 0 : 2);
    const streak = way(now) === 0 ? [] : this.#streak.length > 0 && way(this.#streak[0]!) !== way(now) ? [now] : [...this.#streak, now];
    this.#streak = streak;
    if (way(now) === 0) return (this.#shown = now);
    const enough = way(now) === 1 ? worseAfter : way(now) === -1 ? betterAfter : otherAfter;
    if (streak.length < enough) return shown;
    this.#streak = [];
    return (this.#shown = way(now) === -1 ? streak.reduce((a, b) => (rank[b.word] > rank[a.word] ? b : a)) : now);
  }
}

const reason = (q: Quality): string => (q.word === 'good' ? '' : q.why === 'delay' ? 'delay' : q.side);

/** StatsReader remembers the last reading, so that each one tells of the time between; its word is a steady one. */
export class StatsReader {
  #steady = new Steady();
  #up = none;
  #down = none;
  #pictures = new Map<string, number>();
  #narrow = 0;

  /** read gives what is fit to be shown and told. */
  read(publish: RTCStatsReport, subscribe: RTCStatsReport): Quality {
    const now = this.measure(publish, subscribe);
    const { word, side, why, paused } = this.#steady.read(now);
    return { ...now, word, side, why, paused };
  }

  /** measure judges the time since the last reading alone. */
  measure(publish: RTCStatsReport, subscribe: RTCStatsReport): Quality {
    const up = { ...none };
    const down = { ...none };
    const [frames, pictures] = [new Map<string, number>(), new Map<string, number>()];
    let [framesDecoded, audioLevel, rttMs, limited, paused] = [0, 0, undefined as number | undefined, false, false];
    publish.forEach((e: Entry, id: string) => {
      if (e.type === 'outbound-rtp') {
        up.at = Math.max(up.at, number(e['timestamp']));
        up.bytes += number(e['bytesSent']);
        up.packets += number(e['packetsSent']);
        const narrow = e['qualityLimitationReason'] === 'bandwidth';
        limited ||= narrow;
        if (e['kind'] !== 'video') return;
        const sent = number(e['framesEncoded']);
        paused ||= narrow && sent > 0 && this.#pictures.get(id) === sent;
        pictures.set(id, sent);
      } else if (e.type === 'remote-inbound-rtp') {
        up.lost += number(e['packetsLost']);
      }
    });
    const path = selected(publish);
    if (path?.['currentRoundTripTime'] !== undefined) rttMs = Math.round(number(path['currentRoundTripTime']) * 1000);
    // An encoder that began small blames the bandwidth until it has grown, also where there is plenty.
    if (number(path?.['availableOutgoingBitrate']) > plenty) limited = false;
    subscribe.forEach((e: Entry) => {
      if (e.type !== 'inbound-rtp') return;
      down.at = Math.max(down.at, number(e['timestamp']));
      down.bytes += number(e['bytesReceived']);
      down.packets += number(e['packetsReceived']);
      down.lost += number(e['packetsLost']);
      framesDecoded += number(e['framesDecoded']);
      audioLevel = Math.max(audioLevel, number(e['audioLevel']));
      if (e['kind'] === 'video' && typeof e['trackIdentifier'] === 'string') frames.set(e['trackIdentifier'], number(e['framesDecoded']));
    });
    const [upNow, downNow] = [between(this.#up, up, false), between(this.#down, down, true)];
    [this.#up, this.#down, this.#pictures] = [up, down, pictures];
    this.#narrow = limited ? this.#narrow + 1 : 0;
    return { ...judge(upNow.loss, downNow.loss, rttMs, this.#narrow >= narrowAfter, paused), paused, rttMs, up: upNow, down: { ...downNow, framesDecoded, audioLevel }, frames };
  }
}

/** judge weighs one reading. */
function judge(up: number, down: number, rttMs = 0, limited: boolean, paused: boolean): Pick<Quality, 'word' | 'side' | 'why'> {
  const worst = Math.max(up, down);
  const side = (limited && worst <= 0.08) || up >= down ? 'upload' : 'download';
  if (paused) return { word: 'weak', side: 'upload', why: 'bandwidth' };
  if (worst > 0.08) return { word: 'weak', side, why: 'loss' };
  if (rttMs > 800) return { word: 'weak', side, why: 'delay' };
  if (worst > 0.02) return { word: 'fair', side, why: 'loss' };
  if (limited) return { word: 'fair', side, why: 'bandwidth' };
  if (rttMs > 400) return { word: 'fair', side, why: 'delay' };
  return { word: 'good', side, why: undefined };
}

/** between compares two sums. Received packets do not count the lost ones, sent packets do. */
function between(was: Sums, now: Sums, received: boolean): Direction {
  const [ms, packets, lost] = [now.at - was.at, now.packets - was.packets, Math.max(0, now.lost - was.lost)];
  const total = received ? packets + lost : packets;
  if (was.at === 0 || ms <= 0 || packets < 0) return { bitsPerSecond: 0, loss: 0 };
  return { bitsPerSecond: Math.round(((now.bytes - was.bytes) * 8000) / ms), loss: total > 0 ? Math.min(1, lost / total) : 0 };
}
