CREATE TABLE `controls` (
	`id` text PRIMARY KEY NOT NULL,
	`factory` text NOT NULL,
	`task` text,
	`epoch` integer,
	`control_json` text NOT NULL,
	`created_at` integer NOT NULL,
	`obeyed_at` integer
);
--> statement-breakpoint
CREATE INDEX `controls_open` ON `controls` (`factory`,`obeyed_at`);--> statement-breakpoint
CREATE TABLE `dependencies` (
	`task` text NOT NULL,
	`needs` text NOT NULL,
	PRIMARY KEY(`task`, `needs`)
);
--> statement-breakpoint
CREATE INDEX `dependencies_needs` ON `dependencies` (`needs`);--> statement-breakpoint
CREATE TABLE `heard_reports` (
	`factory` text NOT NULL,
	`seq` integer NOT NULL,
	PRIMARY KEY(`factory`, `seq`)
);
--> statement-breakpoint
CREATE TABLE `questions` (
	`id` text PRIMARY KEY NOT NULL,
	`key` text NOT NULL,
	`kind` text NOT NULL,
	`task` text,
	`epoch` integer,
	`chat` integer NOT NULL,
	`content_json` text NOT NULL,
	`options_json` text NOT NULL,
	`otherwise` text,
	`expires_at` integer,
	`created_at` integer NOT NULL,
	`answer` text,
	`answered_at` integer,
	`answered_by` text,
	`via` text,
	`applied_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `questions_key` ON `questions` (`key`);--> statement-breakpoint
CREATE INDEX `questions_open` ON `questions` (`answered_at`,`expires_at`);--> statement-breakpoint
CREATE INDEX `questions_unapplied` ON `questions` (`applied_at`,`answered_at`);--> statement-breakpoint
CREATE INDEX `questions_task` ON `questions` (`task`);--> statement-breakpoint
ALTER TABLE `factories` ADD `heard_to` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `factories` ADD `told_to` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `incidents` ADD `data` text;--> statement-breakpoint
ALTER TABLE `tasks` ADD `priority` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `tasks` ADD `not_before` integer;--> statement-breakpoint
ALTER TABLE `tasks` ADD `deadline` integer;--> statement-breakpoint
ALTER TABLE `tasks` ADD `replay_of` text;--> statement-breakpoint
CREATE INDEX `tasks_deadline` ON `tasks` (`deadline`);