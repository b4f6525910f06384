ALTER TABLE `tasks` ADD `follow_json` text;--> statement-breakpoint
CREATE INDEX `tasks_follow_of` ON `tasks` (follow_json ->> '$.of');