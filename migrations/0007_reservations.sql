CREATE TABLE `reservations` (
	`id` text PRIMARY KEY NOT NULL,
	`task` text,
	`epoch` integer NOT NULL,
	`factory` text NOT NULL,
	`seat` text NOT NULL,
	`at` integer NOT NULL,
	`cost` integer,
	`tokens` integer NOT NULL,
	`life` text NOT NULL,
	`lease_until` integer NOT NULL,
	`entry_json` text NOT NULL
);
--> statement-breakpoint
DROP INDEX `usages_task`;--> statement-breakpoint
CREATE INDEX `usages_task` ON `usages` (`task`,`epoch`);