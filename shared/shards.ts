/**
 * Which shard owns a queue, by rendezvous hashing: every shard gets a score for the name and the
 * highest wins. Going from n to n + 1 shards therefore moves only the queues that the new shard
 * wins, about 1 in n + 1; all others keep their owner and so their memory.
 */
export function shardOf(queueName: string, shards: number): number {
  let owner = 0
  let best = -1
  for (let shard = 0; shard < shards; shard++) {
    const score = hash(`${shard}/${queueName}`)
    if (score > best) {
      best = score
      owner = shard
    }
  }
  return owner
}

/** FNV-1a over UTF-16 units, then a final mix: FNV alone leaves similar names close together. */
export function hash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
