package store

// statements are those that differ between the engines.
type statements struct {
	// notify tells the other nodes of a commit; $1 is our note, see noteOf. Empty:
	// there are none.
	notify string
	// claim leases heads: of every dest the oldest pending delivery, if it is due
	// and no lease holds any of its dest. A later one of the dest can hold a lease
	// when an older one was requeued meanwhile.
	// $1 lease until, $2 by whom, $3 now, $4 limit.
	claim string
	// claiming goes before claim, requeuing before a requeue, in their
	// transactions: any number of claims or one requeue at a time, as only a
	// requeue can put a new head before one that a claim is taking. Empty: one
	// writer does not need it.
	claiming, requeuing string
}

func sqliteStatements() statements {
	return statements{
		claim: `
update delivery set lease_until = $1, lease_by = $2
where id in (
	select d.id from delivery d
	join (select min(id) as id from delivery where state = 'pending' group by dest having max(lease_until) <= $3) head on head.id = d.id
	where d.next_at <= $3
	order by d.next_at, d.id limit $4)
returning ` + deliveryColumns,
	}
}

// On PostgreSQL the row is looked at again once it is locked: another node may
// have taken, finished or put it off since the snapshot.
func postgresStatements() statements {
	return statements{
		notify:    `select pg_notify('` + channel + `', $1)`,
		claiming:  `select pg_advisory_xact_lock_shared(7464)`,
		requeuing: `select pg_advisory_xact_lock(7464)`,
		claim: `
update delivery set lease_until = $1, lease_by = $2
where id = any(array(
	select o.id from delivery o
	where o.state = 'pending' and o.next_at <= $3 and o.lease_until <= $3 and o.id in (
		select head.id from (
			select distinct on (dest) dest, id, next_at from delivery where state = 'pending' order by dest, id) head
		where head.next_at <= $3 and not exists (
			select 1 from delivery held where held.dest = head.dest and held.state = 'pending' and held.lease_until > $3)
		order by head.next_at, head.id limit $4)
	for update skip locked))
returning ` + deliveryColumns,
	}
}
