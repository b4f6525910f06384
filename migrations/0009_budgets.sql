CREATE TABLE `budgets` (
	`id` text PRIMARY KEY NOT NULL,
	`scope` text NOT NULL,
	`of` text NOT NULL,
	`period` text NOT NULL,
	`window_ms` integer,
	`unit` text NOT NULL,
	`amount` integer NOT NULL,
	`raised_to` integer,
	`raised_at` integer,
	`alerted` integer NOT NULL,
	`alerted_at` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE `tasks` ADD `live_tokens` integer DEFAULT 0 NOT NULL;