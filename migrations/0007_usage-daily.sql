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
SELECT `recorded_at` - `recorded_at` % 86400000, `factory`, `persona`, `seat`, `provider`, `model`, `billing`, count(*), sum(`cost` IS NULL), sum(`uncached_in`), sum(`cache_read`), sum(`write_5m`), sum(`write_1h`), sum(`output`), sum(`reasoning`), coalesce(sum(`cost`), 0), 0, 0, 0, 0, coalesce(sum(`billed`), 0)
FROM `usages` GROUP BY 1, 2, 3, 4, 5, 6, 7;
