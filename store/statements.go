package store

// statements are those that differ between the engines.
type statements struct {
	// notify tells the other nodes of a commit; $1 is our note, see noteOf. Empty:
	// there are none.
	notify string
	// idAmong is "id is one of those that %s selects", which is evaluated once.
	idAmong string
	// skipLocked stands behind a selection of rows that another node may be taking.
	skipLocked string
	// lock stands behind a selection of rows that this transaction will change.
	lock string
	// lockDests locks the dests of the rows %s, lockDestsOf those of the deliveries
	// %s, against everybody else who moves heads, in an order that is the same for
	// all; lockAll locks every dest. Empty: one writer does not need it.
	lockDests, lockDestsOf, lockAll string
	// lockWord makes those who name the same word $1 wait for each other until the
	// end of their transactions. Empty: one writer does not need it.
	lockWord string
}

func sqliteStatements() statements {
	return statements{idAmong: `id in (%s)`}
}

// On PostgreSQL a row is looked at again once it is locked: another node may
// have taken, finished or put it off since the snapshot. The dests share 64
// locks, as many as one transaction can take without filling the lock table.
func postgresStatements() statements {
	const lock = `select pg_advisory_xact_lock(7465, k) from (select distinct hashtext(dest) & 63 as k from `
	return statements{
		notify:      `select pg_notify('` + channel + `', $1)`,
		idAmong:     `id = any(array(%s))`,
		skipLocked:  ` for update skip locked`,
		lock:        ` for update`,
		lockDests:   lock + `(values %s) d (dest) order by k) locks`,
		lockDestsOf: lock + `delivery where id in %s order by k) locks`,
		lockWord:    `select pg_advisory_xact_lock(7466, hashtext($1))`,
		lockAll:     `select pg_advisory_xact_lock(7465, k) from (select generate_series(0, 63) as k order by k) locks`,
	}
}
