CREATE TABLE `usage_daily` (
	`day` integer NOT NULL,
	`factory` text NOT NULL,
	`persona` text NOT NULL,
	`seat` text NOT NULL,
	`provider` text NOT NULL,
	`model` text NOT NULL,
	`billing` text NOT NULL,
	`calls` integer NOT NULL,
	`unpriced` integer NOT NULL,
	`uncached_in` integer NOT NULL,
	`cache_read` integer NOT NULL,
	`write_5m` integer NOT NULL,
	`write_1h` integer NOT NULL,
	`output` integer NOT NULL,
	`reasoning` integer NOT NULL,
	`cost` integer NOT NULL,
	`cost_input` integer NOT NULL,
	`cost_cache_read` integer NOT NULL,
	`cost_cache_write` integer NOT NULL,
	`cost_output` integer NOT NULL,
	`billed` integer NOT NULL,
	PRIMARY KEY(`day`, `factory`, `persona`, `seat`, `provider`, `model`, `billing`)
);
--> statement-breakpoint
ALTER TABLE `usages` ADD `cost_input` integer;--> statement-breakpoint
ALTER TABLE `usages` ADD `cost_cache_read` integer;--> statement-breakpoint
ALTER TABLE `usages` ADD `cost_cache_write` integer;--> statement-breakpoint
ALTER TABLE `usages` ADD `cost_output` integer;--> statement-breakpoint
INSERT INTO `usage_daily` (`day`, `factory`, `persona`, `seat`, `provider`, `model`, `billing`, `calls`, `unpriced`, `uncached_in`, `cache_read`, `write_5m`, `write_1h`, `output`, `reasoning`, `cost`, `cost_input`, `cost_cache_read`, `cost_cache_write`, `cost_output`, `billed`)
SELECT `recorded_at` - `recorded_at` % 86400000, `factory`, `persona`, `seat`, `provider`, `model`, `billing`, count(*), sum(`cost` IS NULL), cast(min(total(`uncached_in`), 9007199254740991) AS integer), cast(min(total(`cache_read`), 9007199254740991) AS integer), cast(min(total(`write_5m`), 9007199254740991) AS integer), cast(min(total(`write_1h`), 9007199254740991) AS integer), cast(min(total(`output`), 9007199254740991) AS integer), cast(min(total(`reasoning`), 9007199254740991) AS integer), cast(min(total(`cost`), 9007199254740991) AS integer), 0, 0, 0, 0, cast(min(total(`billed`), 9007199254740991) AS integer)
FROM `usages` GROUP BY 1, 2, 3, 4, 5, 6, 7;
--> statement-breakpoint
CREATE TRIGGER `usage_daily_add` AFTER INSERT ON `usages` BEGIN
  INSERT INTO `usage_daily` (`day`, `factory`, `persona`, `seat`, `provider`, `model`, `billing`, `calls`, `unpriced`, `uncached_in`, `cache_read`, `write_5m`, `write_1h`, `output`, `reasoning`, `cost`, `cost_input`, `cost_cache_read`, `cost_cache_write`, `cost_output`, `billed`)
  VALUES (new.`recorded_at` - new.`recorded_at` % 86400000, new.`factory`, new.`persona`, new.`seat`, new.`provider`, new.`model`, new.`billing`, 1, new.`cost` IS NULL, new.`uncached_in`, new.`cache_read`, new.`write_5m`, new.`write_1h`, new.`output`, new.`reasoning`, coalesce(new.`cost`, 0), coalesce(new.`cost_input`, 0), coalesce(new.`cost_cache_read`, 0), coalesce(new.`cost_cache_write`, 0), coalesce(new.`cost_output`, 0), coalesce(new.`billed`, 0))
  ON CONFLICT (`day`, `factory`, `persona`, `seat`, `provider`, `model`, `billing`) DO UPDATE SET
    `calls` = min(`calls` + excluded.`calls`, 9007199254740991), `unpriced` = min(`unpriced` + excluded.`unpriced`, 9007199254740991), `uncached_in` = min(`uncached_in` + excluded.`uncached_in`, 9007199254740991), `cache_read` = min(`cache_read` + excluded.`cache_read`, 9007199254740991), `write_5m` = min(`write_5m` + excluded.`write_5m`, 9007199254740991), `write_1h` = min(`write_1h` + excluded.`write_1h`, 9007199254740991), `output` = min(`output` + excluded.`output`, 9007199254740991), `reasoning` = min(`reasoning` + excluded.`reasoning`, 9007199254740991), `cost` = min(`cost` + excluded.`cost`, 9007199254740991), `cost_input` = min(`cost_input` + excluded.`cost_input`, 9007199254740991), `cost_cache_read` = min(`cost_cache_read` + excluded.`cost_cache_read`, 9007199254740991), `cost_cache_write` = min(`cost_cache_write` + excluded.`cost_cache_write`, 9007199254740991), `cost_output` = min(`cost_output` + excluded.`cost_output`, 9007199254740991), `billed` = min(`billed` + excluded.`billed`, 9007199254740991);
END;
